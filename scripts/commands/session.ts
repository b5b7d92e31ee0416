import { withScratchState } from '../cluster/kubeconfig.ts';
import { lockCluster } from '../cluster/lock.ts';
import { type ContextOptions, createContext } from '../context.ts';
import type { Context } from '../images/context.ts';
import type { ExitCode } from '../lib/errors.ts';
import { createProgress, type Progress } from '../lib/terminal/progress.ts';
import { contextOptions, type Invocation } from './command.ts';

type Work = (context: Context, progress: Progress) => Promise<ExitCode>;

/**
 * Does the work of a command that changes the cluster, one command at a time. With --dry-run it only looks.
 * @param options what the command's flags don't say of its context.
 */
export async function changeCluster(
  invocation: Invocation,
  name: string,
  work: Work,
  options: Partial<ContextOptions> = {},
): Promise<ExitCode> {
  if (invocation.flags['dry-run']) return lookAtCluster(invocation, work, options);
  const unlock = await lockCluster(invocation, name);
  return run(invocation, invocation.config, work, options).finally(unlock);
}

/** Does the work of a command that only looks, with a copy of the cluster's folder, so that it leaves no trace. */
export function lookAtCluster(
  invocation: Invocation,
  work: Work,
  options: Partial<ContextOptions> = {},
): Promise<ExitCode> {
  return withScratchState(invocation.config, (config) => run(invocation, config, work, options));
}

async function run(
  invocation: Invocation,
  config: Invocation['config'],
  work: Work,
  options: Partial<ContextOptions>,
): Promise<ExitCode> {
  const progress = await createProgress(invocation.progressStream);
  const context = createContext(config, { ...contextOptions(invocation, progress.note), ...options });
  return work(context, progress).finally(progress.stop);
}
