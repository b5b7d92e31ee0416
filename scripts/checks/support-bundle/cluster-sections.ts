import { readLogs, sourcesOf } from '../../access/logs.ts';
import type { Context } from '../../images/context.ts';
import type { KubeEvent, Pod } from '../../kubernetes/types.ts';
import { isReady } from '../../kubernetes/workloads.ts';
import { table } from '../../lib/text.ts';
import { scopeOf } from './secrets.ts';
import type { Section } from './sections.ts';

const limits = { events: 100, lines: 60 };

/** What can be told of a cluster that answers. */
export const clusterSections: readonly Section[] = [
  { title: 'pods', make: pods },
  { title: 'warnings of the last hour', make: warnings },
  { title: 'logs of pods that are not well', make: logs },
  { title: 'log of the node container', make: nodeLog },
];

async function pods(context: Context): Promise<string> {
  const rows = (await podsInScope(context)).map((pod) => [
    `${pod.metadata.namespace}/${pod.metadata.name}`,
    pod.status.phase,
    isReady(pod) ? 'ready' : 'not ready',
    `${restartsOf(pod)} restarts`,
    (pod.status.containerStatuses ?? []).flatMap(({ state }) => state.waiting?.reason ?? []).join(', '),
  ]);
  return table(rows).join('\n');
}

async function warnings(context: Context): Promise<string> {
  const { items } = await context.api().json<{ items: KubeEvent[] }>('/api/v1/events?fieldSelector=type=Warning');
  const { concerns } = await scopeOf(context);
  const told = items.filter((event) => concerns(event, event.involvedObject?.name));
  const sorted = told.toSorted((one, other) => (one.lastTimestamp ?? '').localeCompare(other.lastTimestamp ?? ''));
  const lines = sorted
    .slice(-limits.events)
    .map(({ lastTimestamp, reason, message, count, involvedObject, metadata }) => {
      const about = `${involvedObject?.kind} ${metadata.namespace}/${involvedObject?.name}`;
      return `${lastTimestamp ?? '-'} ${about} ${reason} (${count ?? 1}): ${message}`;
    });
  return lines.length === 0 ? 'none' : lines.join('\n');
}

async function logs(context: Context): Promise<string> {
  const all = await podsInScope(context);
  const unwell = all.filter((pod) => pod.status.phase !== 'Succeeded' && (!isReady(pod) || restartsOf(pod) > 0));
  const now = sourcesOf(unwell);
  const lines = await readLogs(context, now.sources, { tail: limits.lines });
  // One behind the other, and of each: a container that ended may start again between the look at it and the first.
  const earlier = await readLogs(context, now.sources, { tail: limits.lines, previous: true });
  const texts = [
    ...now.without,
    ...earlier.map(({ source, time, text }) => `[${source.label}, the run before] ${time} ${text}`),
    ...lines.map(({ source, time, text }) => `[${source.label}] ${time} ${text}`),
  ];
  return texts.length === 0 ? 'none' : texts.join('\n');
}

async function podsInScope(context: Context): Promise<Pod[]> {
  const { concerns } = await scopeOf(context);
  return (await context.api().list<Pod>('v1', 'Pod')).filter((pod) => concerns(pod));
}

async function nodeLog({ exec, node, target }: Context): Promise<string> {
  if (target !== undefined) return 'the nodes are not on this machine';
  const { stdout, stderr } = await exec(['docker', 'logs', '--tail', String(limits.lines), node], {
    nothrow: true,
    timeout: 30_000,
  });
  return `${stdout}${stderr}`.trim();
}

function restartsOf({ status }: Pod): number {
  return (status.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0);
}
