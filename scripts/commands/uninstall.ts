import { noCluster, presence } from '../cluster/cluster.ts';
import { assertNoTargetContext } from '../cluster/existing-cluster.ts';
import { lockCluster } from '../cluster/lock.ts';
import { removeMarker } from '../cluster/territory.ts';
import { type ClusterInventory, takeInventory } from '../components/reset/inventory.ts';
import {
  confirmationQuestion,
  keptLines,
  nameLines,
  objectCount,
  prettyJson,
  previewLines,
  resetDeclined,
} from '../components/reset/output.ts';
import { objectsToRemove, removePlatform } from '../components/reset/platform.ts';
import type { Invocation } from '../config/config.ts';
import { createContext } from '../context.ts';
import type { Context } from '../images/context.ts';
import { namedOf } from '../kubernetes/objects.ts';
import { ExitCode, UsageError } from '../lib/errors.ts';
import { createProgress, type Progress } from '../lib/terminal/progress.ts';
import { askWhether, terminalOf } from '../lib/terminal/prompt.ts';
import { findLocalItems } from './cleanup/find.ts';
import { removeItems } from './cleanup/items.ts';

/**
 * Carries out `npm run down` on a cluster that somebody else runs: takes the platform off it, with its mark and the private
 * kubeconfig, and leaves the cluster and all that is somebody else's.
 */
export async function uninstall(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, signal, progressStream, print } = invocation;
  if (flags.purge)
    assertNoTargetContext(config, 'down -- --purge', 'what it removes is shared by your clusters of kind');
  const terminal = terminalOf(process.stdin, progressStream, signal);
  if (!flags.yes && !flags['dry-run'] && !terminal)
    throw new UsageError('There is no terminal to ask whether this is meant.', {
      id: 'no-terminal',
      hint: 'npm run down -- --dry-run shows what goes; npm run down -- --yes removes it.',
    });
  const note = (text: string) => void progressStream.write(`${text}\n`);
  const timeout = typeof flags.timeout === 'number' ? { timeout: flags.timeout } : {};
  const context = createContext(config, { signal, ...timeout, onRetry: (why) => note(`! Tried again: ${why}`) });
  const unlock = flags['dry-run'] ? () => {} : await lockCluster(invocation, 'down');
  const progress = await createProgress(progressStream);
  try {
    if ((await presence(context)) === undefined) {
      if (!flags['dry-run']) await removeLocalItems(context);
      print(
        flags.json
          ? prettyJson({ removed: [], kept: [], left: [] })
          : `Nothing to remove: ${noCluster(context).message}`,
      );
      return ExitCode.done;
    }
    const before = await takeInventory(context);
    const doomed = objectsToRemove(before, false);
    if (flags['dry-run']) {
      const plan = { wouldRemove: doomed.map(namedOf), kept: before.byHand.map(namedOf) };
      print(flags.json ? prettyJson(plan) : previewLines(config.clusterName, before, false, config.target).join('\n'));
      return ExitCode.done;
    }
    if (
      !flags.yes &&
      terminal &&
      !(await askWhether(terminal, confirmationQuestion(config.clusterName, doomed, before, false)))
    )
      return resetDeclined(invocation);
    return await remove(invocation, context, before, progress);
  } finally {
    progress.stop();
    unlock();
  }
}

async function remove(
  { config, flags, print }: Invocation,
  context: Context,
  before: ClusterInventory,
  progress: Progress,
): Promise<ExitCode> {
  const started = performance.now();
  const doomed = objectsToRemove(before, false);
  const after = await removePlatform(context, before, { all: false, progress });
  const left = [...objectsToRemove(after, false), ...after.orphans];
  // While something of the platform is there, the mark tells that it is.
  const whole = left.length === 0 && after.holders.length === 0;
  if (whole) {
    await removeMarker(context);
    await removeLocalItems(context);
  }
  progress.stop();
  const there = new Set(left.map(({ metadata }) => metadata.uid));
  const removed = doomed.filter(({ metadata }) => !there.has(metadata.uid));
  const seconds = Math.round(performance.now() - started) / 1000;
  const kept = [...after.byHand, ...after.holders];
  const lines = [
    `Removed from the cluster of the context ${config.target}: ${objectCount(removed)}, with what they owned (${seconds.toFixed(1)} s).`,
    ...keptLines(after, false, config.target),
    left.length === 0 ? '0 left. The cluster itself is as it was.' : `${left.length} left:`,
    ...nameLines(left),
    ...(whole ? [] : ['  → npm run down goes on, once that is gone.']),
  ];
  print(
    flags.json
      ? prettyJson({ removed: removed.map(namedOf), kept: kept.map(namedOf), left: left.map(namedOf), seconds })
      : lines.join('\n'),
  );
  return left.length === 0 ? ExitCode.done : ExitCode.failed;
}

/** What is on this machine. */
async function removeLocalItems(context: Context): Promise<void> {
  await removeItems(findLocalItems(context.config), async () => [], context.signal);
}
