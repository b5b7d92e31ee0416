import { lockCluster } from '../../cluster/lock.ts';
import type { Invocation } from '../../config/config.ts';
import type { Context } from '../../images/context.ts';
import { ExitCode, UsageError, UserError } from '../../lib/errors.ts';
import { createProgress, type Progress } from '../../lib/terminal/progress.ts';
import { shellWord } from '../../lib/text.ts';
import type { Service } from '../../repository/service-files.ts';
import { followCommit } from '../sync/follow.ts';
import { type RolloutReport, reportLines } from '../sync/report.ts';
import { architectures, lookUpImages, noClusterReason, prepareNode } from './images.ts';
import { type LandingResult, land } from './land.ts';
import { type DeliveryPlan, plannedImages } from './plan.ts';
import {
  describePlan,
  plannedLines,
  reportFailureToActions,
  reportToActions,
  resultLines,
  resultOf,
} from './result.ts';
import { openWorkspace, readServices, type ServiceState, type Workspace } from './workspace.ts';

/** A command that edits values files. */
interface Delivery {
  name: string;
  services: readonly Service[];
  plan(states: readonly ServiceState[], workspace: Workspace): DeliveryPlan | Promise<DeliveryPlan>;
  /** Whether the images may be new: then the registry is asked for them. */
  asksRegistry?: boolean;
}

/** A plan, and what was found out for it. */
interface Prepared {
  workspace: Workspace;
  plan: DeliveryPlan;
  /** Why no cluster follows the commit, as a sentence; without one, it is waited for. */
  unfollowed: string | undefined;
}

/**
 * Runs a command that edits values files: plans it and carries the plan out while no other command is at work, and waits
 * until the commit runs. That wait keeps nobody out: what rolls out badly has to be rolled back meanwhile.
 * @param createContext makes the context, with `note` told what is worth to know while it works, a line each.
 * @returns the exit code.
 */
export async function deliver(
  invocation: Invocation,
  createContext: (note: (text: string) => void) => Context,
  delivery: Delivery,
): Promise<ExitCode> {
  const { config, flags, print, progressStream } = invocation;
  if (flags['no-commit'] && flags.push)
    throw new UsageError('--push pushes a commit, and --no-commit makes none.', 'Leave out one of the two.');
  const [fromCi, dryRun] = [flags['from-ci'] === true, flags['dry-run'] === true];
  const show = (value: object, lines: string[]) =>
    print(flags.json ? JSON.stringify(value, undefined, 2) : lines.join('\n'));
  const progress = await createProgress(progressStream);
  const context = createContext(progress.note);
  try {
    const unlock = fromCi || dryRun ? () => {} : await lockCluster(invocation, delivery.name);
    let since = 0;
    const carryOut = async () => {
      const prepared = await prepare(context, invocation, delivery, progress);
      since = performance.now();
      return { prepared, landed: dryRun ? undefined : await land(prepared.workspace, prepared.plan) };
    };
    const { prepared, landed } = await carryOut().finally(unlock);
    if (!landed) {
      const planned = describePlan(prepared.workspace, prepared.plan);
      show(planned, plannedLines(planned));
      return ExitCode.done;
    }
    const why = notFollowedReason(prepared, landed);
    const result = resultOf(prepared.plan, landed, why ? [why] : []);
    if (!flags.json) print(resultLines(result, prepared.plan).join('\n'));
    for (const note of result.notes) progress.note(note);
    const onReport = (report: RolloutReport) => {
      result.receipts.push(report);
      if (!flags.json) print(reportLines(report).join('\n'));
    };
    const applications = result.changes.map(({ service }) => service);
    if (landed.commit !== null && why === undefined)
      await followCommit(context, { commit: landed.commit, applications, progress, since, onReport }).catch((error) => {
        if (error instanceof UserError && flags.json) show({ ...result, failed: error.message }, []);
        throw error;
      });
    if (fromCi) await reportToActions(config, result);
    progress.stop();
    if (flags.json) show(result, []);
    return ExitCode.done;
  } catch (error) {
    if (fromCi && error instanceof UserError) await reportFailureToActions(config, error.message, error.hint);
    throw error;
  } finally {
    progress.stop();
  }
}

/** Makes the plan, looks at its images, and has the node of a running cluster know those that are committed. */
async function prepare(
  context: Context,
  { flags }: Invocation,
  { services, plan: makePlan, asksRegistry }: Delivery,
  progress: Progress,
): Promise<Prepared> {
  const commitOptions = { commit: !flags['no-commit'], push: flags.push === true };
  const workspace = await openWorkspace(context, services, commitOptions);
  const plan = await makePlan(await readServices(workspace, services), workspace);
  const images = plannedImages(plan);
  if (images.size === 0) return { workspace, plan, unfollowed: 'Nothing changes in the cluster by that.' };
  const missing = flags['from-ci'] ? 'this runs in CI' : await noClusterReason(context);
  const notes: string[] = [];
  if (asksRegistry) {
    const nodes = missing === undefined ? await architectures(context) : [];
    const { account, facts, notes: more } = await lookUpImages(context, images, { architectures: nodes });
    for (const [image, { platforms }] of facts) progress.note(`${image} is there, for ${platforms.join(' and ')}.`);
    notes.push(...more);
    if (missing !== undefined && !account)
      notes.push('Did not check whether the image exists: there is no token for it.');
  }
  if (missing === undefined && commitOptions.commit && !flags['dry-run'])
    notes.push(...(await prepareNode(context, images)));
  const unfollowed = flags['from-ci']
    ? 'The Argo CD that follows this branch takes it from here.'
    : missing && `Nothing follows it for now: ${missing}. npm run up brings the platform up at the newest commit.`;
  return { workspace, plan: { ...plan, notes: [...notes, ...plan.notes] }, unfollowed };
}

/** Why nobody waits for the commit, as a sentence; empty where there is nothing to say. */
function notFollowedReason({ workspace, plan, unfollowed }: Prepared, landed: LandingResult): string | undefined {
  const { gitops } = workspace.context.config;
  if (plan.edits.length === 0) return '';
  if (landed.commit === null) {
    const subject = shellWord(plan.message.split('\n')[0] ?? '');
    return `Not committed: git commit -m ${subject} -- ${plan.edits.map(({ service }) => service.file).join(' ')}`;
  }
  if (gitops && landed.pushed === null)
    return `Argo CD reads ${gitops.repoUrl}, where this commit is not yet: git push`;
  return gitops ? unfollowed : (landed.elsewhere ?? unfollowed);
}
