import { ExitCode } from '../../lib/errors.ts';
import { takeInventory } from '../inventory.ts';
import { declined, json, type Means } from './means.ts';
import { doomedOf, removePlatform } from './remove-platform.ts';
import { count, keptLines, names, nothing, plain, preview, question } from './words.ts';

/** Takes the platform off the cluster, or lists what that would take away, and tells what came of it. */
export async function resetPlatform({ invocation, context, confirm, progress }: Means): Promise<ExitCode> {
  const { config, flags, print } = invocation;
  const all = flags.all === true;
  const started = performance.now();
  const before = await takeInventory(context, { all });
  const doomed = doomedOf(before, all);
  const kept = all ? [] : [...before.byHand, ...before.holders];
  if (flags['dry-run']) {
    const plan = { wouldRemove: plain(doomed), kept: plain(kept) };
    print(flags.json ? json(plan) : preview(config.clusterName, before, all, config.target).join('\n'));
    return ExitCode.done;
  }
  if (doomed.length === 0 && before.orphans.length === 0) {
    const lines = [nothing(config.clusterName), ...keptLines(before, all, config.target)];
    print(flags.json ? json({ removed: [], kept: plain(kept), left: [] }) : lines.join('\n'));
    return ExitCode.done;
  }
  // What is only waited for needs nobody's word.
  if (doomed.length > 0 && !(await confirm(question(config.clusterName, doomed, before, all))))
    return declined(invocation);
  const after = await removePlatform(context, before, { all, progress });
  progress.stop();
  const left = [...doomedOf(after, all), ...after.orphans];
  const there = new Set(left.map(({ metadata }) => metadata.uid));
  const removed = doomed.filter(({ metadata }) => !there.has(metadata.uid));
  const seconds = Math.round(performance.now() - started) / 1000;
  const lines = [
    `Removed from the cluster ${config.clusterName}: ${count(removed)}, with what they owned (${seconds.toFixed(1)} s).`,
    ...keptLines(after, all, config.target),
    left.length === 0 ? '0 left. npm run up brings the platform back.' : `${left.length} left:`,
    ...names(left),
  ];
  const result = { removed: plain(removed), kept: plain(kept), left: plain(left), seconds };
  print(flags.json ? json(result) : lines.join('\n'));
  return left.length === 0 ? ExitCode.done : ExitCode.failed;
}
