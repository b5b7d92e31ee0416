import { assertMachineReady } from '../checks/doctor/preflight.ts';
import { noCluster } from '../cluster/cluster.ts';
import { assertNoTargetContext } from '../cluster/existing-cluster.ts';
import { ensureStarted } from '../components/cluster-start.ts';
import { printDeclined, printNothing, printResult, resetPlatform, resetWorkloads } from '../components/reset/reset.ts';
import { ExitCode, UsageError, UserError } from '../lib/errors.ts';
import { type Command, checkFlags, confirmation, type Invocation, lockFlags } from './command.ts';
import { changeCluster } from './session.ts';

export const resetCommand: Command = {
  description: [
    'Removes everything that npm run up installed, last things first, and then looks whether anything is left: exit',
    'code 1 if so. What you put into the cluster by hand is listed and kept, with the namespace that it is in; --all',
    "removes that, too, but nothing of Kubernetes' or kind's own. --apps only has Argo CD recreate the services;",
    '--cluster recreates the whole cluster. Images stay in the node, so the next npm run up is quick.',
  ].join('\n'),
  flags: {
    all: { type: 'boolean', typedOnly: true, description: 'Remove what was put there by hand, too.' },
    apps: { type: 'boolean', description: 'Only delete what Argo CD deployed, and have it recreate that.' },
    cluster: { type: 'boolean', description: 'Delete the cluster and recreate it: npm run down and npm run up.' },
    'dry-run': { type: 'boolean', description: 'Only list what would be removed, object by object.' },
    yes: { type: 'boolean', typedOnly: true, description: 'Do not ask.' },
    timeout: { type: 'seconds', description: 'How long a single step may take (default: 300).' },
    json: { type: 'boolean', description: 'Print what was removed, kept and left as JSON on standard output.' },
    verbose: { type: 'boolean', description: 'Show every command that is run.' },
    ...checkFlags,
    ...lockFlags,
  },
  examples: ['npm run reset', 'npm run reset -- --dry-run', 'npm run reset -- --all --yes', 'npm run reset -- --apps'],
  interrupted: 'npm run reset goes on where it stopped; npm run up brings the platform back.',
  run: runReset,
};

async function runReset(invocation: Invocation): Promise<ExitCode> {
  const { config, flags } = invocation;
  const ways = (['all', 'apps', 'cluster'] as const).filter((flag) => flags[flag]);
  if (ways.length > 1) {
    throw new UsageError(`--${ways[0]} and --${ways[1]} are two different things.`, {
      id: 'flags-exclude',
      hint: 'npm run reset -- --help',
    });
  }
  if (flags.cluster) assertNoTargetContext(config, 'reset -- --cluster', 'it was not made here');
  if (flags.all) assertNoTargetContext(config, 'reset -- --all', 'others have things in it');
  const confirm = confirmation(
    invocation,
    'npm run reset -- --dry-run lists what it would remove; npm run reset -- --yes removes it.',
  );
  if (flags.cluster) return resetCluster(invocation, confirm);
  return changeCluster(invocation, 'reset', async (context, progress) => {
    try {
      for (const warning of await assertMachineReady(context)) progress.note(`! ${warning}`);
      if (await ensureStarted(context, progress, flags['dry-run'] === true))
        return await (flags.apps ? resetWorkloads : resetPlatform)({ invocation, context, confirm, progress });
      if (flags.apps) throw noCluster(context);
      return printNothing(invocation, noCluster(context).message);
    } catch (error) {
      if (!flags['dry-run'] || !(error instanceof UserError)) throw error;
      // What can't be looked at is no failure of a command that only looks.
      progress.note(`! Can't tell what would be removed: ${error.message}\n  → ${error.hint ?? 'npm run doctor'}`);
      if (flags.json) printResult(invocation, { wouldRemove: [], kept: [], unknown: error.message }, []);
      return ExitCode.done;
    }
  });
}

/** Each of the two takes the lock for itself. */
async function resetCluster(invocation: Invocation, confirm: ReturnType<typeof confirmation>): Promise<ExitCode> {
  const { config, flags } = invocation;
  const [{ downCommand }, { upCommand, previewUp }] = await Promise.all([import('./down.ts'), import('./up.ts')]);
  if (!(await confirm(`Delete the cluster ${config.clusterName} with all that is in it, and recreate it?`)))
    return printDeclined(invocation);
  const printed: { notes?: string[] }[] = [];
  const collecting = {
    ...invocation,
    ...(flags.json && { print: (text: string) => void printed.push(JSON.parse(text)) }),
  };
  let code = await downCommand.run({ ...collecting, flags: { ...flags, yes: true } });
  // What the cluster has now is gone by then, also where that is only a plan.
  const up = flags['dry-run'] ? (again: Invocation) => previewUp(again, { isNew: true }) : upCommand.run;
  if (code === ExitCode.done) code = await up(collecting);
  // Both say which checks were not passed.
  const notes = [...new Set(printed.flatMap((one) => one.notes ?? []))];
  if (flags.json) printResult(invocation, Object.assign({}, ...printed, { notes }), []);
  return code;
}
