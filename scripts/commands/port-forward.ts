import {
  apiName,
  assertPortFree,
  choosePorts,
  type Destination,
  destinationNames,
  destinationsWith,
  ingressDestination,
  ingressName,
  portsFor,
} from '../access/port-forward/destinations.ts';
import { watchEndpoints } from '../access/port-forward/endpoints.ts';
import { eventLine, forwardJson, forwardLines, startForward } from '../access/port-forward/forward.ts';
import { assertCluster } from '../cluster/cluster.ts';
import { controllerService } from '../components/ingress.ts';
import { apiSite, findApiSite } from '../components/services.ts';
import { createContext } from '../context.ts';
import type { Context } from '../images/context.ts';
import { startPortForward } from '../kubernetes/port-forward.ts';
import { ExitCode, Interrupted, UsageError, UserError } from '../lib/errors.ts';
import { outputRefused } from '../lib/terminal/output.ts';
import type { Command, Invocation } from './command.ts';

export const portForwardCommand: Command = {
  description: [
    'Opens a port on 127.0.0.1 for each of them, or for those that you name, until Ctrl-C. When a pod is replaced or the API',
    'server restarts, the port leads to the next pod within about two seconds. It needs no ingress, so it works where that',
    'does not. If a port is taken, the command says by whom; --port chooses another. Ends with exit code 1 once the cluster',
    'is deleted. With TARGET_CONTEXT, ingress opens HTTPS_PORT for all that the ingress serves.',
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
  words: [...destinationNames, ingressName],
  severalWords: true,
  examples: [
    'npm run port-forward',
    'npm run port-forward -- prometheus grafana',
    'npm run port-forward -- argocd --port 9443',
    'npm run port-forward -- --port grafana=3030 --port api=3031',
  ],
  interrupted: 'Nothing is forwarded any more.',
  run: runPortForward,
};

async function runPortForward({ config, flags, operands = [], signal, print, progressStream }: Invocation) {
  const say = (text: string) => void progressStream.write(`${text}\n`);
  const failed = new AbortController();
  const context = createContext(config, {
    // A reader that has seen enough, as in `| head -1`, ends it as well.
    signal: AbortSignal.any([signal, outputRefused, failed.signal]),
    onDownload: (what) => say(`Fetching ${what}`),
  });
  const wanted = (await destinationsFor(context, operands)).filter(
    ({ name }) => operands.length === 0 || operands.includes(name),
  );
  const asked = portsFor(wanted, typeof flags.port === 'string' ? flags.port : undefined);
  await assertCluster(context);
  // Before a port is chosen: where there is none to be had, this says so.
  await context.kubectl();
  const ports = await choosePorts(context.exec, asked);
  print(flags.json ? forwardJson(ports) : forwardLines(ports).join('\n'));
  // Later than the addresses: only what is written then tells that the reader is gone.
  let note = flags.json ? undefined : '\n  Ctrl-C ends it.';
  const forwards = [...ports].map(([destination, port]) =>
    startForward(destination, {
      open: (endpoint, until) => startPortForward(context, endpoint, until, port),
      assertPortFree: () => assertPortFree(context.exec, destination, port),
      onEvent(event) {
        say(eventLine(destination.name, event));
        if (note !== undefined) print(note);
        note = undefined;
      },
      signal: context.signal,
    }),
  );
  const watching = watchEndpoints(context, {
    onSlices(slices, wasLost) {
      if (wasLost) say('✔ the API server answers again');
      for (const forward of forwards) forward.follow(slices, wasLost);
    },
    onLost: (why) => say(`! ${why}; waiting for it`),
  });
  const ended = forwards.map((forward) => forward.ended);
  try {
    await Promise.race([watching, Promise.all(ended)]);
  } catch (error) {
    if (!outputRefused.aborted || signal.aborted) throw error;
  } finally {
    failed.abort();
    await Promise.allSettled([watching, ...ended]);
    context.reconnect();
  }
  if (signal.aborted) throw new Interrupted();
  return ExitCode.done;
}

/**
 * What can be forwarded. On a cluster of kind the ingress has its port of this machine anyway.
 * @throws UsageError where it is asked for there; UserError where the API is asked for, and the values tell of none.
 */
async function destinationsFor(context: Context, operands: readonly string[]): Promise<readonly Destination[]> {
  const { target, ingressController, ports } = context.config;
  const all = destinationsWith(await apiFor(context, operands));
  if (target !== undefined) return [...all, ingressDestination(controllerService(ingressController), ports.https)];
  if (!operands.includes(ingressName)) return all;
  throw new UsageError(
    `The ingress of a cluster of kind is there already, at port ${ports.https}: it need not be forwarded.`,
    'npm run open lists its addresses.',
  );
}

/** Broken values keep nobody from the rest. */
async function apiFor(context: Context, operands: readonly string[]) {
  if (operands.includes(apiName)) return apiSite(context);
  if (operands.length > 0) return undefined;
  return findApiSite(context).catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    return undefined;
  });
}
