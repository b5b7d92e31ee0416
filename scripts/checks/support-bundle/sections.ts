import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { readLogs, sourcesOf } from '../../access/logs.ts';
import * as versions from '../../config/versions.ts';
import type { Context } from '../../images/context.ts';
import type { KubeEvent, Pod } from '../../kubernetes/types.ts';
import { isReady } from '../../kubernetes/workloads.ts';
import { Interrupted, messageOf } from '../../lib/errors.ts';
import { uncommittedFiles } from '../../lib/git/checkout.ts';
import { table } from '../../lib/text.ts';
import { firstLine } from '../doctor/check.ts';
import { diagnose } from '../doctor/preflight.ts';
import { gatherStatus } from '../status.ts';
import { scopeOf } from './secrets.ts';

/** A part of the file: what it is, and how its text is had. */
interface Section {
  title: string;
  make(context: Context): Promise<string>;
}

/** What can be told of this machine and this checkout. */
export const machineSections: readonly Section[] = [
  { title: 'versions', make: versionsOf },
  { title: 'settings', make: async ({ config }) => toJson(settingsOf(config)) },
  { title: 'doctor', make: async (context) => (await diagnose(context)).map(findingLine).join('\n') },
  { title: 'status', make: async (context) => toJson(await gatherStatus(context)) },
  { title: 'timelines', make: timelines },
];

async function versionsOf({ exec, config, checkout, node, target }: Context): Promise<string> {
  const { head, branch } = await checkout();
  const changed = await uncommittedFiles(exec, config.root, ['.']).catch(messageOf);
  const inspect = ['docker', 'container', 'inspect', '--format', '{{.Config.Image}} {{.State.Status}}', node] as const;
  const container = target === undefined ? await exec(inspect, { nothrow: true, timeout: 30_000 }) : undefined;
  return toJson({
    commit: head,
    branch: branch ?? 'none',
    changedFiles: typeof changed === 'string' ? `not known: ${firstLine(changed)}` : changed.length,
    node: process.version,
    system: `${process.platform} ${process.arch} ${release()}`,
    wanted: { argocd: versions.argocd.version, nodeImage: versions.nodeImage, kind: versions.tools.kind.version },
    ...(container && {
      container: container.exitCode === 0 ? container.stdout.trim() : `none: ${firstLine(container.stderr)}`,
    }),
  });
}

/** Named one by one: what is added to the settings later is not in it by itself. */
function settingsOf(config: Context['config']): object {
  const { clusterName, target, nodeImage, ports, gitops, ingressController, grafanaAnonymous, argocdFull } = config;
  const { environment, parts, prometheusStorage, ignoredChecks, cacheDir, dataDir, stateDir, tokens } = config;
  return {
    ...{ clusterName, target, nodeImage, ports, gitops, ingressController, grafanaAnonymous, argocdFull },
    ...{ environment, parts, prometheusStorage, ignoredChecks, cacheDir, dataDir, stateDir },
    tokens: { use: tokens.use, inEnvironment: tokens.inEnvironment !== undefined, inFile: tokens.inFile !== undefined },
  };
}

function findingLine({ check, level, message, remedy }: Awaited<ReturnType<typeof diagnose>>[number]): string {
  return `${level} ${check}: ${message}${remedy === undefined ? '' : ` → ${remedy}`}`;
}

/** What commands have written down of how long their steps took, where they have. */
async function timelines({ config: { stateDir } }: Context): Promise<string> {
  const names = existsSync(stateDir) ? readdirSync(stateDir).filter((name) => /timeline.*\.jsonl?$/.test(name)) : [];
  if (names.length === 0) return 'none';
  const texts = names.sort().map(async (name) => `${name}:\n${await readFile(join(stateDir, name), 'utf8')}`);
  return (await Promise.all(texts)).join('\n');
}

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
  const lines = sorted.map(({ lastTimestamp, reason, message, count, involvedObject, metadata }) => {
    const about = `${involvedObject?.kind} ${metadata.namespace}/${involvedObject?.name}`;
    return `${lastTimestamp ?? '-'} ${about} ${reason} (${count ?? 1}): ${message}`;
  });
  return lines.slice(-limits.events).join('\n') || 'none';
}

async function logs(context: Context): Promise<string> {
  const all = await podsInScope(context);
  const unwell = all.filter((pod) => pod.status.phase !== 'Succeeded' && (!isReady(pod) || restartsOf(pod) > 0));
  const { sources, without } = sourcesOf(unwell);
  const lines = await readLogs(context, sources, { tail: limits.lines });
  // One behind the other, and of each: a container that ended may start again between the look at it and the first.
  const earlier = await readLogs(context, sources, { tail: limits.lines, previous: true });
  const texts = [
    ...without,
    ...earlier.map(({ source, time, text }) => `[${source.label}, the run before] ${time} ${text}`),
    ...lines.map(({ source, time, text }) => `[${source.label}] ${time} ${text}`),
  ];
  return texts.join('\n') || 'none';
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

/**
 * The text of all sections. One that can't be made says why, and keeps none of the others from being there.
 * @param redact takes secrets out of a section: a key that is cut off in one may not take the beginning of the next along
 */
export async function renderSections(
  context: Context,
  sections: readonly Section[],
  redact: (text: string) => string,
): Promise<string> {
  const texts = await Promise.all(
    sections.map(async ({ title, make }) => {
      const text = await make(context).catch((error: unknown) => {
        if (error instanceof Interrupted) throw error;
        return `could not be had: ${messageOf(error)}`;
      });
      return `== ${title}\n\n${redact(text)}\n`;
    }),
  );
  return texts.join('\n');
}

function toJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}
