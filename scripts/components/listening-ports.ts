import type { KubeObject } from '../kubernetes/objects.ts';
import { withTemplates } from '../kubernetes/workloads.ts';

interface Container {
  args?: string[];
  ports?: { name: string; containerPort: number }[];
}

/** An argument of an ingress controller that says a port, as `--https-port=8443` or `--entryPoints.web.address=:8080`. */
const portArgument = /^(?<option>--\S*(?:port|address|webhook)=(?:\S*:)?)(?<port>\d+)$/i;

/**
 * The same objects, with the Deployment's container listening on the ports that a person on this machine uses: a
 * redirect names the port that the controller listens on, so that has to be the one which leads back to it. A port of
 * the controller's own that is the same gets one that this makes free. Throws where the container names no port `http`
 * or `https`.
 */
export function listenOn(objects: readonly KubeObject[], wanted: { http: number; https: number }): KubeObject[] {
  return withTemplates(objects, ({ spec }: { spec: { containers: Container[] } }) => {
    for (const container of spec.containers) move(container, wanted);
  });
}

function move(container: Container, wanted: { http: number; https: number }): void {
  const portNamed = (name: string) => {
    const port = container.ports?.find((one) => one.name === name)?.containerPort;
    if (port === undefined) throw new Error(`the ingress controller's container has no port ${name}`);
    return port;
  };
  const moves = new Map([
    [portNamed('http'), wanted.http],
    [portNamed('https'), wanted.https],
  ]);
  const taken = new Set(moves.values());
  const free = [...moves.keys()].filter((port) => !taken.has(port));
  for (const port of portsOf(container)) {
    if (!moves.has(port) && taken.has(port)) moves.set(port, free.shift() ?? port);
  }
  const moved = (port: number) => moves.get(port) ?? port;
  for (const port of container.ports ?? []) port.containerPort = moved(port.containerPort);
  if (container.args) {
    container.args = container.args.map((arg) =>
      arg.replace(portArgument, (_, option: string, port: string) => `${option}${moved(Number(port))}`),
    );
  }
}

/** Every port of the container, each once. */
function portsOf({ args = [], ports = [] }: Container): Set<number> {
  const inArgs = args.flatMap((arg) => arg.match(portArgument)?.groups?.port ?? []).map(Number);
  return new Set([...ports.map(({ containerPort }) => containerPort), ...inArgs]);
}
