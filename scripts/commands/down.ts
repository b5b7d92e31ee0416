import { rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { mergedContextItems } from '../access/kubeconfig/merge.ts';
import { authorityItems, trustItems } from '../access/trust.ts';
import { storesOf } from '../access/trust-stores.ts';
import { assertMachineReady } from '../checks/doctor/preflight.ts';
import {
  cacheItems,
  clusterItems,
  forwardItems,
  imageItems,
  orphanItems,
  otherClusters,
  stateItems,
} from '../cluster/cleanup.ts';
import { noCluster, presence } from '../cluster/cluster.ts';
import { assertNoTargetContext } from '../cluster/existing-cluster.ts';
import { lockCluster } from '../cluster/lock.ts';
import { markerFor, readMarker, removeMarker } from '../cluster/territory.ts';
import { printNothing, resetPlatform } from '../components/reset/reset.ts';
import { createContext } from '../context.ts';
import type { Context } from '../images/context.ts';
import { namedOf } from '../kubernetes/objects.ts';
import { type CleanupItem, type CleanupItems, type Leftover, removeItems } from '../lib/cleanup.ts';
import { ExitCode, UsageError, UserError } from '../lib/errors.ts';
import { createProgress, type Progress } from '../lib/terminal/progress.ts';
import { askWhether, terminalOf } from '../lib/terminal/prompt.ts';
import { type Command, checkFlags, confirmation, type Invocation, lockFlags } from './command.ts';
import { changeCluster } from './session.ts';

export const downCommand: Command = {
  description: [
    'Deletes the kind cluster of this checkout, in whatever state it is, and its private kubeconfig, and looks whether',
    'anything is left: exit code 1 if so. What npm run kubeconfig -- --merge put into your own is removed too. Other',
    'clusters are never touched. Images and downloads stay for the next npm run up; --purge removes those as well,',
    'with the tools that were fetched, the stand-in images, and the local certificate authority with the trust of your',
    'browsers, which all your clusters of platform-ops share. With TARGET_CONTEXT it uninstalls the platform and keeps',
    'that cluster.',
  ].join('\n'),
  flags: {
    purge: { type: 'boolean', description: 'Remove caches, images and the certificate authority, too.' },
    yes: { type: 'boolean', typedOnly: true, description: 'Do not ask, before --purge or with TARGET_CONTEXT.' },
    'dry-run': { type: 'boolean', description: 'Only list what would be removed.' },
    timeout: { type: 'seconds', description: 'How long to wait for Docker, and for another command.' },
    json: { type: 'boolean', description: 'Print what was removed and what is left as JSON on standard output.' },
    ...checkFlags,
    ...lockFlags,
  },
  examples: ['npm run down', 'npm run down -- --purge --dry-run', 'CLUSTER_NAME=second npm run down'],
  interrupted: 'npm run down goes on where it stopped.',
  run: runDown,
};

/** Seconds that removing the container may take; usually it is two. */
const defaultTimeoutSeconds = 120;

async function runDown(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, signal, print, progressStream } = invocation;
  if (config.target !== undefined) return uninstall(invocation);
  const asks = flags.purge === true && !flags.yes && !flags['dry-run'];
  const terminal = asks && !flags.json ? terminalOf(process.stdin, progressStream, signal) : undefined;
  if (asks && !terminal)
    throw new UsageError('There is no terminal to ask whether --purge is meant.', {
      id: 'no-terminal',
      hint: 'npm run down -- --purge --dry-run lists what it would remove; npm run down -- --purge --yes removes it.',
    });
  const timeout = typeof flags.timeout === 'number' ? flags.timeout : defaultTimeoutSeconds;
  const context = createContext(config, { signal, timeout, offline: true });
  const purge = flags.purge === true;
  if (flags['dry-run']) return preview(invocation, context, purge);
  const unlock = await lockCluster(invocation, 'down');
  try {
    const warnings = await assertMachineReady(context);
    const { items, notes } = await findItems(context, { purge });
    notes.unshift(...warnings);
    if (terminal && items.length > 0) {
      print(page('To be removed:', items, notes));
      if (!(await askWhether(terminal, `Remove these ${items.length}, which all your clusters share in part?`))) {
        print('Nothing was removed.');
        return ExitCode.failed;
      }
    }
    const findAgain = async () => (await findItems(context, { purge })).items;
    const remove = () => removeItems(items, findAgain, signal);
    const left = items.length === 0 ? [] : await shown(await createProgress(progressStream), invocation, items, remove);
    return report(invocation, items, left, notes);
  } finally {
    unlock();
    removeIfEmpty(dirname(config.stateDir));
  }
}

/** Removes the platform from a cluster that others run, with its mark and the private kubeconfig, and leaves all that is theirs. */
async function uninstall(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, signal } = invocation;
  if (flags.purge)
    assertNoTargetContext(config, 'down -- --purge', 'what it removes is shared by your clusters of kind');
  const confirm = confirmation(
    invocation,
    'npm run down -- --dry-run lists what it would remove; npm run down -- --yes removes it.',
  );
  // What is on this machine is told by the real folder, also where only a copy of it is worked with.
  const findLocal = () => [...orphanItems(config), ...forwardItems(config), ...stateItems(config)];
  // A login that was fetched to look into the cluster is there by then.
  const removeLocal = async () => void (await removeItems(findLocal(), async () => [], signal));
  return changeCluster(invocation, 'down', async (context, progress) => {
    const local = findLocal();
    if ((await presence(context)) === undefined) {
      if (!flags['dry-run']) await removeLocal();
      const title = flags['dry-run'] ? 'Would be removed here:' : 'Removed here:';
      const here = local.length === 0 ? '' : `\n${page(title, local, [])}`;
      return printNothing(invocation, `Nothing to remove there: ${noCluster(context).message}${here}`, plain(local));
    }
    const { tookOver } = (await readMarker(context)) ?? {};
    const rest = {
      end: tookOver ? 'What was taken over is gone; the cluster stays.' : 'The cluster itself is as it was.',
      items: [namedOf(markerFor(context)), ...plain(local)],
      async remove() {
        await removeMarker(context);
        await removeLocal();
      },
    };
    return resetPlatform({ invocation, context, confirm, progress, rest });
  });
}

/**
 * Finds all that belongs to this cluster; with `purge` also what this user's clusters share. Changes nothing.
 * @param options `withDocker: false` leaves out what only Docker can tell.
 * @throws UsageError where a cluster of that name is not of this checkout, or Docker does not answer.
 */
async function findItems(
  context: Context,
  { purge, withDocker = true }: { purge: boolean; withDocker?: boolean },
): Promise<CleanupItems> {
  const { config, exec } = context;
  const items = [
    ...orphanItems(config),
    ...(withDocker ? await clusterItems(context) : []),
    ...forwardItems(config),
    ...mergedContextItems(context),
    ...stateItems(config),
  ];
  if (!purge) return { items, notes: [] };
  const [images, others, trust, cache] = await Promise.all([
    withDocker ? imageItems(context) : { items: [], notes: [] },
    withDocker ? otherClusters(context) : [],
    trustItems(storesOf(exec, config)),
    cacheItems(config),
  ]);
  const shared = others.map(
    (name) => `The cluster ${name} needs npm run up afterwards, if it shares this certificate authority.`,
  );
  return {
    // The trust goes before the authority, by whose name it is found; the cache last, which knows what was pulled.
    items: [...items, ...images.items, ...trust.items, ...authorityItems(config), ...cache],
    notes: [...images.notes, ...trust.notes, ...shared],
  };
}

/** What a list of items is about. */
function isCluster(items: readonly CleanupItem[]): boolean {
  return items.some(({ kind }) => kind === 'container');
}

/** Does it with a spinner, and tells how long it took. */
async function shown(
  progress: Progress,
  { config }: Invocation,
  items: readonly CleanupItem[],
  remove: () => Promise<Leftover[]>,
): Promise<Leftover[]> {
  const started = performance.now();
  const [title, done] = isCluster(items) ? ['cluster', 'deleted'] : ['leftovers', 'removed'];
  progress.start(isCluster(items) ? `deleting ${config.clusterName}` : 'removing leftovers');
  try {
    const left = await remove();
    const seconds = (performance.now() - started) / 1000;
    if (left.length === 0) progress.done(title, seconds, done);
    else progress.failed(title, seconds);
    return left;
  } finally {
    progress.stop();
  }
}

/** Lists what would be removed, as far as that can be told: without Docker, what lies in files. Changes nothing. */
async function preview({ flags, print, config }: Invocation, context: Context, purge: boolean): Promise<ExitCode> {
  let withDocker = true;
  const warnings = await assertMachineReady(context).catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    withDocker = false;
    return [`Not looked for containers, volumes, networks and images: ${error.message}`];
  });
  const { items, notes } = await findItems(context, { purge, withDocker });
  notes.unshift(...warnings);
  const none = withDocker ? nothing(config.clusterName) : 'Nothing to remove, as far as can be told without Docker.';
  print(
    flags.json
      ? JSON.stringify({ wouldRemove: plain(items), notes }, undefined, 2)
      : page(items.length === 0 ? none : 'Would be removed:', items, notes),
  );
  return ExitCode.done;
}

function report(
  { flags, print, config }: Invocation,
  items: readonly CleanupItem[],
  left: readonly Leftover[],
  notes: readonly string[],
): ExitCode {
  const isLeft = ({ kind, name }: CleanupItem) => left.some(({ item }) => item.kind === kind && item.name === name);
  const removed = items.filter((item) => !isLeft(item));
  if (flags.json) {
    const leftovers = left.map(({ item: { kind, name }, reason }) => ({ kind, name, ...(reason && { reason }) }));
    print(JSON.stringify({ removed: plain(removed), left: leftovers, notes }, undefined, 2));
  } else if (items.length === 0) print(page(nothing(config.clusterName), [], notes));
  else {
    const title = isCluster(removed) ? `Removed the cluster ${config.clusterName}:` : 'Removed:';
    const counts = left.length === 0 ? '0 left.' : `${left.length} left:`;
    const lines = left.map(({ item, reason }) => `  ✖ ${line(item)}${reason === undefined ? '' : `: ${reason}`}`);
    if (left.length > 0) lines.push('  → npm run down tries again.');
    print([page(removed.length === 0 ? undefined : title, removed, notes), counts, ...lines].join('\n').trimStart());
  }
  return left.length === 0 ? ExitCode.done : ExitCode.failed;
}

const nothing = (cluster: string) => `Nothing to remove: there is no cluster ${cluster}.`;

function page(title: string | undefined, items: readonly CleanupItem[], notes: readonly string[]): string {
  const lines = [...items.map((item) => `  ${line(item)}`), ...notes.map((note) => `! ${note}`)];
  return [...(title === undefined ? [] : [title]), ...lines].join('\n');
}

function line({ kind, name }: CleanupItem): string {
  return kind === 'file' ? name : `${kind} ${name}`;
}

function plain(items: readonly CleanupItem[]): { kind: string; name: string }[] {
  return items.map(({ kind, name }) => ({ kind, name }));
}

/** Other clusters of this checkout may have their folders beside ours. */
function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
