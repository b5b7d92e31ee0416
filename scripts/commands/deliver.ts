import { lockCluster } from '../cluster/lock.ts';
import type { Invocation } from '../config/config.ts';
import { createContext } from '../context.ts';
import {
  type DeliveryResult,
  reportFailureToActions,
  reportToActions,
  resultLines,
} from '../delivery/promote/result.ts';
import {
  type CommitOptions,
  type CommitResult,
  commitAndPush,
  type FileEdit,
  pushPending,
  type Workspace,
} from '../delivery/promote/workspace.ts';
import { followCommit } from '../delivery/sync/follow.ts';
import { type RolloutReport, reportLines } from '../delivery/sync/report.ts';
import type { Context } from '../images/context.ts';
import { ExitCode, UsageError, UserError } from '../lib/errors.ts';
import { createProgress, type Progress } from '../lib/terminal/progress.ts';
import { shellWord } from '../lib/text.ts';
import { imageInValues } from '../repository/image-values.ts';
import { contextOptions } from './command.ts';

/** Edits that may be made, and what is to be done about them. */
export interface PreparedEdits {
  workspace: Workspace;
  edits: FileEdit[];
  message: string;
  /** What a person should know, a sentence each. */
  notes: string[];
  /** What to say where nothing has to be edited. */
  unchanged: string;
  /** Why no cluster follows the commit, as a sentence; without one, it is waited for. */
  unfollowed?: string | undefined;
}

/** Whether the flags ask to commit and to push the edits. Throws a `UsageError` for a contradiction. */
export function commitOptionsOf({ flags }: Invocation): CommitOptions {
  if (flags['no-commit'] && flags.push)
    throw new UsageError('--push pushes a commit, and --no-commit makes none.', 'Leave out one of the two.');
  return { commit: !flags['no-commit'], push: flags.push === true };
}

/**
 * Runs a command that edits values files: prepares it while no other command is at work, lands the edits, and waits until
 * they run. That wait keeps nobody out: what rolls out badly has to be rolled back meanwhile.
 */
export async function deliver(
  invocation: Invocation,
  name: string,
  prepare: (context: Context, progress: Progress) => Promise<PreparedEdits>,
): Promise<ExitCode> {
  const { config, flags, signal, print, progressStream } = invocation;
  const forActions = flags['from-ci'] === true;
  const progress = await createProgress(progressStream);
  const context = createContext(config, contextOptions({ flags, signal }, progress.note));
  try {
    const unlock = forActions ? () => {} : await lockCluster(invocation, name);
    let prepared: PreparedEdits;
    let landed: CommitResult;
    let since: number;
    try {
      prepared = await prepare(context, progress);
      const { workspace, edits, message } = prepared;
      since = performance.now();
      landed = edits.length > 0 ? await commitAndPush(workspace, edits, message) : await pushPending(workspace);
    } finally {
      unlock();
    }
    const outcome = deliveryResult(context, prepared, landed);
    if (!flags.json)
      print([...(prepared.edits.length > 0 ? [] : [prepared.unchanged]), ...resultLines(outcome)].join('\n'));
    for (const note of outcome.notes) progress.note(note);
    const waits =
      outcome.commit !== null &&
      prepared.edits.length > 0 &&
      notFollowedReason(context, prepared, outcome) === undefined;
    if (waits) await follow(context, outcome, { since, progress, print, json: flags.json === true });
    if (forActions) await reportToActions(config, outcome);
    progress.stop();
    if (flags.json) print(JSON.stringify(outcome, undefined, 2));
    return ExitCode.done;
  } catch (error) {
    if (forActions && error instanceof UserError) await reportFailureToActions(config, error.message, error.hint);
    throw error;
  } finally {
    progress.stop();
  }
}

function deliveryResult(context: Context, prepared: PreparedEdits, { commit, pushed }: CommitResult): DeliveryResult {
  const { edits, message, workspace } = prepared;
  const changes = edits.map(({ service, before, after }) => ({
    service: service.name,
    file: service.file,
    from: imageInValues(before)?.tag ?? '',
    to: imageInValues(after)?.tag ?? '',
  }));
  const subject = message.split('\n')[0] ?? '';
  const landed = { commit: commit ?? null, pushed: pushed ?? null };
  const notes = [...prepared.notes];
  const why =
    edits.length > 0 && workspace.commitOptions.commit ? notFollowedReason(context, prepared, landed) : undefined;
  if (why !== undefined) notes.push(why);
  if (edits.length > 0 && !workspace.commitOptions.commit)
    notes.push(`Not committed: git commit -m ${shellWord(subject)} -- ${changes.map(({ file }) => file).join(' ')}`);
  return { changes, subject, ...landed, receipts: [], notes };
}

/** Why nobody waits for the commit, as a sentence. */
function notFollowedReason(
  { config }: Context,
  prepared: PreparedEdits,
  { pushed }: Pick<DeliveryResult, 'pushed'>,
): string | undefined {
  const { gitops } = config;
  return gitops && pushed === null
    ? `Argo CD reads ${gitops.repoUrl}, where this commit is not yet: git push`
    : prepared.unfollowed;
}

interface FollowSettings {
  /** When the edits were made, in milliseconds of `performance.now()`. */
  since: number;
  progress: Progress;
  print: Invocation['print'];
  json: boolean;
}

/** Waits until the commit runs, and adds a report for each service, which a person reads as soon as it is there. */
async function follow(
  context: Context,
  outcome: DeliveryResult,
  { since, progress, print, json }: FollowSettings,
): Promise<void> {
  const { changes, receipts } = outcome;
  const commit = outcome.commit ?? '';
  const onReport = (report: RolloutReport) => {
    receipts.push(report);
    if (!json) print(reportLines(report).join('\n'));
  };
  try {
    const applications = changes.map(({ service }) => service);
    await followCommit(context, { commit, applications, progress, since, onReport });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (json) print(JSON.stringify({ ...outcome, failed: error.message }, undefined, 2));
    throw error;
  }
}
