import {
  type Destination,
  destinations,
  ingressDestination,
  ingressName,
} from '../access/port-forward/destinations.ts';
import { watchEndpoints } from '../access/port-forward/endpoints.ts';
import { createForward, eventLine, type Forward, forwardJson, forwardLines } from '../access/port-forward/forward.ts';
import { openProxies, portsFor } from '../access/port-forward/proxy.ts';
import { assertCluster } from '../cluster/cluster.ts';
import { controllerService } from '../components/ingress.ts';
import type { Config } from '../config/config.ts';
import { createContext } from '../context.ts';
import type { Context } from '../images/context.ts';
import { endpointOf, startPortForward } from '../kubernetes/port-forward.ts';
import { type ExitCode, UsageError } from '../lib/errors.ts';
import type { Command, Invocation } from './command.ts';

export const forwardCommand: Command = {
  description: [
    'Opens a port on 127.0.0.1 for each of them, or for those that are named, until Ctrl-C. They stay open while pods are',
    'replaced and the API server restarts: who comes meanwhile waits for the new pod. It needs no ingress, so it works',
    'where that does not. A port that is taken is not replaced by another one: --port chooses. Ends with exit code 1 once',
    'the cluster is deleted. With TARGET_CONTEXT, ingress opens HTTPS_PORT for all that the ingress serves.',
  ].join('\n'),
  flags: {
    port: {
      type: 'text',
      value: 'port',
      repeated: true,
      description: 'Another port: 9091, or for one of several grafana=3001. 0 takes any that is free.',
    },
    json: { type: 'boolean', description: 'Print the addresses as a line of JSON.' },
  },
  words: [...destinations.map(({ name }) => name), ingressName],
  severalWords: true,
  examples: [
    'npm run forward',
    'npm run forward -- prometheus grafana',
    'npm run forward -- argocd --port 9443',
    'npm run forward -- --port grafana=3030 --port api=3031',
  ],
  interrupted: 'Nothing is forwarded any more.',
  run: runForward,
};

async function runForward({ config, flags, operands = [], signal, print, progressStream }: Invocation) {
  const chosen = destinationsFor(config, operands.includes(ingressName)).filter(
    ({ name }) => operands.length === 0 || operands.includes(name),
  );
  const ports = portsFor(chosen, typeof flags.port === 'string' ? flags.port : undefined);
  const say = (text: string) => void progressStream.write(`${text}\n`);
  const context = createContext(config, { signal, onDownload: (what) => say(`Fetching ${what}`) });
  await assertCluster(context);
  // Before a port is opened: where there is none to be had, this says so.
  await context.kubectl();
  const lines = await openLines(context, ports, say);
  try {
    print(flags.json ? forwardJson(lines) : [...forwardLines(lines), '', '  Ctrl-C ends it.'].join('\n'));
    return await followAll(context, lines, say);
  } finally {
    await Promise.all(lines.map((line) => line.close()));
    context.reconnect();
  }
}

/** On a cluster of kind the ingress has its port of this machine anyway. Throws a `UsageError` where it is asked for there. */
function destinationsFor({ target, ingressController, ports }: Config, ingressAsked: boolean): readonly Destination[] {
  if (target !== undefined)
    return [...destinations, ingressDestination(controllerService(ingressController), ports.https)];
  if (!ingressAsked) return destinations;
  throw new UsageError(
    `The ingress of a cluster of kind is there already, at port ${ports.https}: it need not be forwarded.`,
    'npm run open lists its addresses.',
  );
}

async function openLines(
  context: Context,
  ports: ReturnType<typeof portsFor>,
  say: (text: string) => void,
): Promise<Forward[]> {
  const proxies = await openProxies(context.exec, ports);
  return [...proxies].map(([destination, proxy]) =>
    createForward(destination, proxy, {
      open: (endpoint, signal) => startPortForward(context, endpoint, signal),
      tell: (change) => say(eventLine(destination.name, change)),
    }),
  );
}

function followAll(context: Context, lines: readonly Forward[], say: (text: string) => void): Promise<ExitCode> {
  return watchEndpoints(context, {
    onSlices(slices, wasLost) {
      if (wasLost) say('✔ the API server answers again');
      for (const line of lines) line.follow(endpointOf(slices, line.destination, line.now()), wasLost);
    },
    onLost: (why) => say(`! ${why}; it is waited for`),
  });
}
