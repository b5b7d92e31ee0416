import { rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { assertMachineReady } from '../checks/doctor/preflight.ts';
import { noCluster, presence } from '../cluster/cluster.ts';
import { assertNoTargetContext } from '../cluster/existing-cluster.ts';
import { lockCluster } from '../cluster/lock.ts';
import { markerFor, removeMarker } from '../cluster/territory.ts';
import { printNothing, resetPlatform } from '../components/reset/reset.ts';
import { createContext } from '../context.ts';
import type { Context } from '../images/context.ts';
import { namedOf } from '../kubernetes/objects.ts';
import { ExitCode, UsageError, UserError } from '../lib/errors.ts';
import { createProgress } from '../lib/terminal/progress.ts';
import { askWhether, terminalOf } from '../lib/terminal/prompt.ts';
import { findItems, findLocalItems } from './cleanup/find.ts';
import { type CleanupItem, type Leftover, removeItems } from './cleanup/items.ts';
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
  const { config, flags, signal } = invocation;
  if (config.target !== undefined) return uninstall(invocation);
  const purge = flags.purge === true;
  const terminal = flags.json ? undefined : terminalOf(process.stdin, invocation.progressStream, signal);
  if (purge && !flags.yes && !flags['dry-run'] && !terminal) {
    throw new UsageError('There is no terminal to ask whether --purge is meant.', {
      id: 'no-terminal',
      hint: 'npm run down -- --purge --dry-run lists what it would remove; npm run down -- --purge --yes removes it.',
    });
  }
  const timeout = typeof flags.timeout === 'number' ? flags.timeout : defaultTimeoutSeconds;
  const context = createContext(config, { signal, timeout, offline: true });
  if (flags['dry-run']) return preview(invocation, context, purge);
  const unlock = await lockCluster(invocation, 'down');
  try {
    const warnings = await assertMachineReady(context);
    const { items, notes } = await findItems(context, { purge });
    notes.unshift(...warnings);
    if (purge && !flags.yes && terminal && items.length > 0) {
      invocation.print([...listed('To be removed:', items), ...notes.map((note) => `! ${note}`)].join('\n'));
      if (!(await askWhether(terminal, `Remove these ${items.length}, which all your clusters share in part?`))) {
        invocation.print('Nothing was removed.');
        return ExitCode.failed;
      }
    }
    const left = await remove(invocation, context, items, purge);
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
  const local = findLocalItems(config);
  const removeLocal = async () => void (await removeItems(local, async () => [], signal));
  return changeCluster(invocation, 'down', async (context, progress) => {
    if ((await presence(context)) === undefined) {
      if (!flags['dry-run']) await removeLocal();
      return printNothing(invocation, `Nothing to remove: ${noCluster(context).message}`, plain(local));
    }
    const rest = {
      items: [namedOf(markerFor(context)), ...plain(local)],
      async remove() {
        await removeMarker(context);
        await removeLocal();
      },
    };
    return resetPlatform({ invocation, context, confirm, progress, rest });
  });
}

async function remove(
  { config, progressStream, signal }: Invocation,
  context: Context,
  items: CleanupItem[],
  purge: boolean,
) {
  if (items.length === 0) return [];
  const started = performance.now();
  const progress = await createProgress(progressStream);
  progress.start(`deleting ${config.clusterName}`);
  try {
    const left = await removeItems(items, async () => (await findItems(context, { purge })).items, signal);
    const seconds = (performance.now() - started) / 1000;
    if (left.length === 0) progress.done('cluster', seconds, 'deleted');
    else progress.failed('cluster', seconds);
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
  if (flags.json) print(JSON.stringify({ wouldRemove: plain(items), notes }, undefined, 2));
  else {
    const none = withDocker ? nothing(config.clusterName) : 'Nothing to remove, as far as can be told without Docker.';
    const lines = items.length === 0 ? [none] : listed('Would be removed:', items);
    print([...lines, ...notes.map((note) => `! ${note}`)].join('\n'));
  }
  return ExitCode.done;
}

function report(
  { flags, print, config }: Invocation,
  items: CleanupItem[],
  left: Leftover[],
  notes: string[],
): ExitCode {
  const leftNames = new Set(left.map(({ item }) => `${item.kind} ${item.name}`));
  const removed = items.filter(({ kind, name }) => !leftNames.has(`${kind} ${name}`));
  if (flags.json) {
    const leftovers = left.map(({ item: { kind, name }, reason }) => ({ kind, name, ...(reason && { reason }) }));
    print(JSON.stringify({ removed: plain(removed), left: leftovers, notes }, undefined, 2));
  } else if (items.length === 0) {
    print([nothing(config.clusterName), ...notes.map((note) => `! ${note}`)].join('\n'));
  } else {
    const lines = removed.length === 0 ? [] : listed(`Removed the cluster ${config.clusterName}:`, removed);
    lines.push(...notes.map((note) => `! ${note}`));
    lines.push(left.length === 0 ? '0 left.' : `${left.length} left:`);
    lines.push(...left.map(({ item, reason }) => `  ✖ ${line(item)}${reason === undefined ? '' : `: ${reason}`}`));
    if (left.length > 0) lines.push('  → npm run down tries again.');
    print(lines.join('\n'));
  }
  return left.length === 0 ? ExitCode.done : ExitCode.failed;
}

function nothing(cluster: string): string {
  return `Nothing to remove: there is no cluster ${cluster}.`;
}

function listed(title: string, items: readonly CleanupItem[]): string[] {
  return [title, ...items.map((item) => `  ${line(item)}`)];
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
