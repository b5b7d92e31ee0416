import { existsSync } from 'node:fs';
import { cluster, presence, reach } from '../cluster/cluster.ts';
import { createContext } from '../context.ts';
import { pushedCommit, waitForNewCommit } from '../delivery/sync/commits.ts';
import { followCommit, registeredNames } from '../delivery/sync/follow.ts';
import { type RolloutReport, reportLines } from '../delivery/sync/report.ts';
import type { Context } from '../images/context.ts';
import { ApiError, Unreachable } from '../kubernetes/api/api.ts';
import { ExitCode, UsageError, UserError } from '../lib/errors.ts';
import { createProgress, type Progress } from '../lib/terminal/progress.ts';
import { unknownWord } from '../lib/text.ts';
import { uncommittedNote } from '../repository/committed-values.ts';
import { type Command, contextOptions, type Invocation, lockFlags } from './command.ts';

export const syncCommand: Command = {
  description: [
    'Argo CD sees a commit by itself within ten seconds. This refreshes it now, waits for the rollout, and prints a report',
    'for each Application: what was synced, the image, the first answer through the ingress, and the seconds to each',
    "stage. A commit that can't be rendered, or whose pods don't get ready, ends with the reason. With GITOPS_REPO_URL",
    'it follows what was pushed, and says what was not.',
  ].join('\n'),
  flags: {
    watch: { type: 'boolean', description: 'Go on with each commit that comes, until Ctrl-C.' },
    app: { type: 'text', value: 'name', description: 'Wait for this Application alone.' },
    timeout: { type: 'seconds', description: 'How long a commit may take to run (default: 300).' },
    json: { type: 'boolean', description: 'Print the reports as JSON, with --watch one in a line.' },
    verbose: { type: 'boolean', description: 'Show every command that is run.' },
    ...lockFlags,
  },
  examples: ['npm run sync', 'npm run sync -- --watch', 'npm run sync -- --app core-go --timeout 60'],
  run: runSync,
};

async function runSync(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, progressStream } = invocation;
  // It counts from the start of this process: loading it is part of what you wait for.
  for (let since = 0; ; ) {
    const progress = await createProgress(progressStream);
    // A new context each time: another branch may be checked out, and the cluster may be another.
    const context = createContext(config, contextOptions(invocation, progress.note));
    let deployed = '';
    try {
      const commit = await commitToFollow(context, progress);
      deployed = commit;
      deployed = await follow(invocation, context, { commit, progress, since });
    } catch (error) {
      // Whoever watches wants to see the next commit, which may be the remedy.
      if (!flags.watch || !(error instanceof UserError) || error instanceof UsageError) throw error;
      progress.stop();
      printFailure(invocation, (await context.checkout()).head, error);
    } finally {
      progress.stop();
    }
    if (!flags.watch) return ExitCode.done;
    since = await waitForNewCommit(context, (await context.checkout()).head, deployed);
    context.reconnect();
  }
}

/** The commit that Argo CD is to deploy. Throws a `UserError` where there is no cluster to deploy it in. */
async function commitToFollow(context: Context, progress: Progress): Promise<string> {
  // Looked for while the rest is asked: the sooner Argo CD hears of a commit, the sooner it runs.
  if (existsSync(context.kubeconfig)) context.kubectl().catch(() => {});
  const [notes] = await Promise.all([uncommittedNote(context), waitUntilReachable(context)]);
  for (const note of notes) progress.note(`! ${note}`);
  return context.config.gitops ? pushedCommit(context, (text) => progress.note(text)) : (await context.checkout()).head;
}

/** Makes sure that the cluster can be asked. Throws a `UserError` with the reason where it can't. */
async function waitUntilReachable(context: Context): Promise<void> {
  // Whatever answers to this checkout's own kubeconfig is its cluster; only otherwise Docker has to be asked.
  if (existsSync(context.kubeconfig) && (await answers(context))) return;
  // Another worktree of this repository may have made it, and has the kubeconfig then.
  if ((await presence(context)) === 'running' && !existsSync(context.kubeconfig)) await reach(context);
  const status = await cluster.status(context);
  if (status.state !== 'ready') throw new UserError(`Nothing can run: ${status.missing}.`, { hint: 'npm run up' });
}

async function answers(context: Context): Promise<boolean> {
  try {
    await context.api().text('/readyz');
    return true;
  } catch (error) {
    if (error instanceof ApiError || error instanceof Unreachable) return false;
    throw error;
  }
}

/** Follows a commit and prints what became of it, also in part. Returns the commit that runs. */
async function follow(
  invocation: Invocation,
  context: Context,
  { commit, progress, since }: { commit: string; progress: Progress; since: number },
): Promise<string> {
  const { flags } = invocation;
  const receipts: RolloutReport[] = [];
  try {
    await followCommit(context, {
      commit,
      progress,
      since,
      ...(typeof flags.app === 'string' && { applications: [await nameOf(context, flags.app)] }),
      ...(flags['no-wait'] && { lockTimeoutSeconds: 0 }),
      onReport: (report) => void receipts.push(report),
    });
  } finally {
    progress.stop();
    printReports(invocation, receipts);
  }
  return receipts[0]?.revision ?? commit;
}

/** Throws a `UsageError` for an Application that there is not. */
async function nameOf(context: Context, name: string): Promise<string> {
  const names = await registeredNames(context);
  if (names.includes(name)) return name;
  throw unknownWord(`There is no Application ${name}.`, name, names);
}

function printReports({ flags, print }: Invocation, receipts: readonly RolloutReport[]): void {
  const sorted = [...receipts].sort((a, b) => a.application.localeCompare(b.application));
  if (flags.json && !flags.watch) print(JSON.stringify(sorted, undefined, 2));
  else for (const report of sorted) print(flags.json ? JSON.stringify(report) : reportLines(report).join('\n'));
}

/** What went wrong, where watching continues. */
function printFailure(
  { flags, print, progressStream }: Invocation,
  commit: string,
  { message, hint }: UserError,
): void {
  if (flags.json) print(JSON.stringify({ commit, error: message, ...(hint !== undefined && { hint }) }));
  else progressStream.write(`✖ ${message}\n${hint === undefined ? '' : `  → ${hint}\n`}`);
}
