import { demandCluster } from '../components/cluster-ownership.ts';
import { type Context, createContext } from '../context.ts';
import { destinations } from '../forwarding/destinations.ts';
import { endpointOf } from '../forwarding/endpoints.ts';
import { followSlices } from '../forwarding/follow.ts';
import { createLine, type Line } from '../forwarding/line.ts';
import { openDoors, portsFor } from '../forwarding/ports.ts';
import { openTunnel } from '../forwarding/tunnel.ts';
import { addressJson, addressLines, changeLine } from '../forwarding/words.ts';
import type { ExitCode } from '../lib/errors.ts';
import type { Command, Invocation } from './command.ts';

export const forward: Command = {
  name: 'forward',
  summary: 'Lead ports of this machine to Prometheus, Grafana, Argo CD and the API.',
  description: [
    'Opens a port on 127.0.0.1 for each of them, or for those that are named, until Ctrl-C. They stay open while pods are',
    'replaced and the API server restarts: who comes meanwhile waits for the new pod. It needs no ingress, so it works',
    'where that does not. A port that is taken is not replaced by another one: --port chooses. Ends with exit code 1 once',
    'the cluster is deleted.',
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
  words: destinations.map(({ name }) => name),
  severalWords: true,
  examples: [
    'npm run forward',
    'npm run forward -- prometheus grafana',
    'npm run forward -- argocd --port 9443',
    'npm run forward -- --port grafana=3030 --port api=3031',
  ],
  run: runForward,
};

async function runForward({ config, flags, operands = [], signal, print, progressStream }: Invocation) {
  const chosen = destinations.filter(({ name }) => operands.length === 0 || operands.includes(name));
  const ports = portsFor(chosen, typeof flags.port === 'string' ? flags.port : undefined);
  const say = (text: string) => void progressStream.write(`${text}\n`);
  const context = createContext(config, { signal, onDownload: (what) => say(`Fetching ${what}`) });
  await demandCluster(context);
  // Before a port is opened: where there is none to be had, this says so.
  await context.kubectl();
  const lines = await openLines(context, ports, say);
  try {
    print(flags.json ? addressJson(lines) : [...addressLines(lines), '', '  Ctrl-C ends it.'].join('\n'));
    return await followAll(context, lines, say);
  } finally {
    await Promise.all(lines.map((line) => line.close()));
    context.reconnect();
  }
}

async function openLines(
  context: Context,
  ports: ReturnType<typeof portsFor>,
  say: (text: string) => void,
): Promise<Line[]> {
  const doors = await openDoors(context.exec, ports);
  return [...doors].map(([destination, door]) =>
    createLine(destination, door, {
      open: (endpoint, signal) => openTunnel(context, endpoint, signal),
      tell: (change) => say(changeLine(destination.name, change)),
    }),
  );
}

function followAll(context: Context, lines: readonly Line[], say: (text: string) => void): Promise<ExitCode> {
  return followSlices(context, {
    onSlices(slices, wasLost) {
      if (wasLost) say('✔ the API server answers again');
      for (const line of lines) line.follow(endpointOf(slices, line.destination, line.now()), wasLost);
    },
    onLost: (why) => say(`! ${why}; it is waited for`),
  });
}
