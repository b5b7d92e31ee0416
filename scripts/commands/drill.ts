import { assertMachineReady } from '../checks/doctor/preflight.ts';
import { foreignNodesReason, nodeDrainDrill } from '../checks/drill/disruption.ts';
import { type Drill, type DrillResult, performDrill } from '../checks/drill/drill.ts';
import {
  cleanUpAfter,
  planLines,
  resultLine,
  selectDrills,
  settlingMs,
  summaryLines,
  undoInterruptedDrill,
  waitForHealth,
} from '../checks/drill/drills.ts';
import { compareSnapshots, takeSnapshot } from '../checks/drill/snapshot.ts';
import { assertNoTargetContext } from '../cluster/existing-cluster.ts';
import { createContext } from '../context.ts';
import type { Context } from '../images/context.ts';
import { ExitCode } from '../lib/errors.ts';
import { createProgress } from '../lib/terminal/progress.ts';
import { type Command, checkFlags, confirmation, contextOptions, type Invocation, lockFlags } from './command.ts';
import { changeCluster } from './session.ts';

export const drillCommand: Command = {
  description: [
    'Breaks things on purpose, one after another, and measures how long the platform takes to recover: changes',
    'by hand, a bad image, a killed pod, evictions. Then it puts everything back and proves that all is as it was. It takes',
    'a minute or two, begins only where all is well, and touches no branch, file or index of yours: what takes commits is',
    'shown with commits that no branch knows of. Exit code 1 if a promise was not held.',
  ].join('\n'),
  flags: {
    only: { type: 'text', value: 'names', description: 'Show these alone, with commas between them.' },
    list: { type: 'boolean', description: 'Only list the promises, by name.' },
    yes: { type: 'boolean', typedOnly: true, description: 'Do not ask.' },
    timeout: { type: 'seconds', description: 'How long a single step may take (default: 300).' },
    json: { type: 'boolean', description: 'Print what was seen as JSON on standard output.' },
    verbose: { type: 'boolean', description: 'Show every command that is run.' },
    ...checkFlags,
    ...lockFlags,
  },
  examples: ['npm run drill', 'npm run drill -- --only self-heal,rollback --yes', 'npm run drill -- --list'],
  interrupted: 'What the drill had begun is undone.',
  run: runDrill,
};

async function runDrill(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, print } = invocation;
  const chosen = selectDrills(flags.only);
  if (typeof flags.only === 'string' && chosen.includes(nodeDrainDrill) && !flags.list)
    assertNoTargetContext(config, 'drill -- --only node-drain', foreignNodesReason);
  if (flags.list) {
    print(flags.json ? json(chosen.map(({ name, promise }) => ({ name, promise }))) : planLines(chosen).join('\n'));
    return ExitCode.done;
  }
  const hint = 'npm run drill -- --list lists what it would do; npm run drill -- --yes does it.';
  const confirm = confirmation(invocation, hint);
  return changeCluster(invocation, 'drill', (context) => showAll(invocation, context, chosen, confirm));
}

async function showAll(
  { config, flags, signal, print, progressStream }: Invocation,
  context: Context,
  chosen: readonly Drill[],
  confirm: (question: string) => Promise<boolean>,
): Promise<ExitCode> {
  const started = performance.now();
  const say = (text: string) => void progressStream.write(`${text}\n`);
  /** One that an interruption does not end. */
  const calm = () => createContext(config, contextOptions({ flags, signal: new AbortController().signal }, say));
  /** A spinner while it works, where there is a terminal, and nothing of it afterwards. */
  const during = async <T>(title: string, work: () => Promise<T>): Promise<T> => {
    const progress = await createProgress(progressStream);
    progress.start(title);
    return work().finally(() => progress.stop());
  };
  for (const warning of await assertMachineReady(context)) say(`! ${warning}`);
  for (const name of await undoInterruptedDrill(context))
    say(`An earlier drill was killed. Repaired: Application ${name}.`);
  await during('checking that all is well', () => waitForHealth(context, settlingMs));
  say(['On the cluster, one after another:', ...planLines(chosen)].join('\n'));
  if (!(await confirm(`Break these things on ${config.clusterName} and repair them?`))) {
    print(flags.json ? json({ promises: [] }) : 'Nothing was done.');
    return ExitCode.failed;
  }
  const before = await takeSnapshot(context);
  const promises: DrillResult[] = [];
  try {
    for (const drill of chosen) {
      const undoing = () => {
        if (signal.aborted) say(`Undoing ${drill.name}.`);
        return calm();
      };
      const shown = await during(drill.promise, () => performDrill(drill, context, undoing));
      promises.push(shown);
      if (!flags.json) print(resultLine(shown));
    }
  } finally {
    await cleanUpAfter(chosen, calm());
  }
  await during('waiting until all is well again', () => waitForHealth(context, context.timeout));
  const comparison = compareSnapshots(before, await takeSnapshot(context));
  const seconds = Math.round(performance.now() - started) / 1000;
  const { differences, note } = comparison;
  const unchanged = differences.length === 0;
  if (flags.json) print(json({ promises, unchanged, differences, ...(note && { note }), seconds }));
  else print(summaryLines(promises, comparison, seconds).join('\n'));
  return unchanged && promises.every(({ held }) => held !== false) ? ExitCode.done : ExitCode.failed;
}

function json(value: object): string {
  return JSON.stringify(value, undefined, 2);
}
