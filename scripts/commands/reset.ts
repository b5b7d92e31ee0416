import { assertMachineReady } from '../checks/doctor/preflight.ts';
import { noCluster } from '../cluster/cluster.ts';
import { assertNoTargetContext } from '../cluster/existing-cluster.ts';
import { lockCluster } from '../cluster/lock.ts';
import { ensureStarted } from '../components/cluster-start.ts';
import { type Confirm, prettyJson, resetDeclined } from '../components/reset/output.ts';
import { resetPlatform } from '../components/reset/platform.ts';
import { resetWorkloads } from '../components/reset/workloads.ts';
import { createContext } from '../context.ts';
import { ExitCode, UsageError } from '../lib/errors.ts';
import { createProgress } from '../lib/terminal/progress.ts';
import { askWhether, terminalOf } from '../lib/terminal/prompt.ts';
import { type Command, checkFlags, contextOptions, type Invocation, lockFlags } from './command.ts';

export const resetCommand: Command = {
  description: [
    'Removes everything that npm run up installed, last things first, and then looks whether anything is left: exit',
    'code 1 if so. What somebody put into the cluster by hand is listed and kept, with the namespace that it is in; --all',
    "removes that, too, but nothing of Kubernetes' or kind's own. --apps only has Argo CD build the services anew;",
    '--cluster makes the whole cluster anew. Images stay in the node, so the next npm run up is quick.',
  ].join('\n'),
  flags: {
    all: { type: 'boolean', typedOnly: true, description: 'Remove what was put there by hand, too.' },
    apps: { type: 'boolean', description: 'Only delete what Argo CD deployed, and have it build that anew.' },
    cluster: { type: 'boolean', description: 'Delete the cluster and make it anew: npm run down and npm run up.' },
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
  const { config, flags, progressStream, print } = invocation;
  const ways = (['all', 'apps', 'cluster'] as const).filter((flag) => flags[flag]);
  if (ways.length > 1) {
    throw new UsageError(`--${ways[0]} and --${ways[1]} are two different things.`, {
      id: 'flags-exclude',
      hint: 'npm run reset -- --help',
    });
  }
  if (flags.cluster) assertNoTargetContext(config, 'reset -- --cluster', 'it was not made here');
  if (flags.all) assertNoTargetContext(config, 'reset -- --all', 'others have things in it');
  const confirm = confirmation(invocation);
  if (flags.cluster) return resetCluster(invocation, confirm);
  const progress = await createProgress(progressStream);
  const context = createContext(config, contextOptions(invocation, progress.note));
  // Only looking takes no lock.
  const unlock = flags['dry-run'] ? () => {} : await lockCluster(invocation, 'reset');
  try {
    for (const warning of await assertMachineReady(context)) progress.note(`! ${warning}`);
    if (!(await ensureStarted(context, progress, flags['dry-run'] === true))) {
      if (flags.apps) throw noCluster(context);
      print(flags.json ? prettyJson({ removed: [], kept: [], left: [] }) : noCluster(context).message);
      return ExitCode.done;
    }
    return await (flags.apps ? resetWorkloads : resetPlatform)({ invocation, context, confirm, progress });
  } finally {
    progress.stop();
    unlock();
  }
}

/** How to be sure that it is meant. Throws a `UsageError` where nobody could be asked. */
function confirmation({ flags, signal, progressStream }: Invocation): Confirm {
  if (flags.yes || flags['dry-run']) return async () => true;
  const terminal = terminalOf(process.stdin, progressStream, signal);
  if (terminal) return (message) => askWhether(terminal, message);
  throw new UsageError('There is no terminal to ask whether this is meant.', {
    id: 'no-terminal',
    hint: 'npm run reset -- --dry-run shows what goes; npm run reset -- --yes removes it.',
  });
}

/** Each of the two takes the lock for itself. */
async function resetCluster(invocation: Invocation, confirm: Confirm): Promise<ExitCode> {
  const { config, flags, print } = invocation;
  const [{ downCommand }, { upCommand }] = await Promise.all([import('./down.ts'), import('./up.ts')]);
  const { 'dry-run': dryRun, ...others } = flags;
  if (dryRun) return downCommand.run({ ...invocation, flags: { 'dry-run': true, ...others } });
  if (!(await confirm(`Delete the cluster ${config.clusterName} with all that is in it, and make it anew?`))) {
    return resetDeclined(invocation);
  }
  const printed: string[] = [];
  const collecting = { ...invocation, ...(flags.json && { print: (text: string) => void printed.push(text) }) };
  let code = await downCommand.run({ ...collecting, flags: { ...others, yes: true } });
  if (code === ExitCode.done) code = await upCommand.run({ ...collecting, flags: others });
  if (flags.json) print(prettyJson(Object.assign({}, ...printed.map((text) => JSON.parse(text) as object))));
  return code;
}
