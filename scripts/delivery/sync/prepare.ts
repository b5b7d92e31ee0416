import { lockForCommand } from '../../cluster/lock.ts';
import { askToLook } from '../../components/refresh.ts';
import { difference, registrations } from '../../components/registrations.ts';
import { coverImages } from '../../components/service-images.ts';
import type { Context } from '../../images/context.ts';
import { UserError } from '../../lib/errors.ts';
import { type Application, applicationsNow, argocdNamespace } from '../../repository/applications.ts';

export interface PrepareOptions {
  /** The commit that is to be rendered. */
  commit: string;
  /** The names of those that are to render it; all where none are named. */
  wanted: readonly string[] | undefined;
  /** Seconds to wait for another command that is working on the cluster. */
  patience: number;
  /** Tells a person what had to be done besides. */
  note: (text: string) => void;
}

/**
 * Has a commit rendered at once: sees to the images that it names, has the Applications follow what is checked out, and
 * asks Argo CD to look. Holds the cluster's lock meanwhile, so that nothing is registered into a cluster that is being
 * taken away. Throws a `UserError` where there are none.
 */
export async function prepare(context: Context, options: PrepareOptions): Promise<void> {
  const { commit, wanted, patience, note } = options;
  const unlock = await lockForCommand(context.config, {
    name: 'sync',
    seconds: patience,
    signal: context.signal,
    say: note,
  });
  try {
    const present = await registered(context);
    // First: a pod that is quicker than its image waits for the kubelet's next try, or has to be recreated.
    await cover(context, note);
    const moved = await followCheckout(context, present, note);
    const behind = ({ status }: Application) =>
      moved ||
      context.config.gitops !== undefined ||
      status?.sync?.revision !== commit ||
      status.sync.status !== 'Synced';
    const asked = present.filter(
      (application) => (wanted?.includes(application.metadata.name) ?? true) && behind(application),
    );
    for (const application of asked) if (waitsToRetry(application, commit)) await endOperation(context, application);
    await askToLook(context, asked);
  } finally {
    unlock();
  }
}

async function registered(context: Context): Promise<Application[]> {
  const present = await applicationsNow(context);
  if (present.length > 0) return present;
  throw new UserError(`Nothing is deployed in ${context.config.clusterName}: it has no Application.`, {
    hint: 'npm run up',
  });
}

async function cover(context: Context, note: PrepareOptions['note']): Promise<void> {
  try {
    for (const changed of await coverImages(context)) note(`Made: ${changed}`);
  } catch (error) {
    // Values that can't be read are what Argo CD will say of them, too, and better: with the line.
    if (!(error instanceof UserError) || context.signal.aborted) throw error;
    note(`! ${error.message}`);
  }
}

/** Registers the Applications anew where they follow something else, as after a linked worktree got another branch. */
async function followCheckout(
  context: Context,
  present: readonly Application[],
  note: PrepareOptions['note'],
): Promise<boolean> {
  const objects = await registrations(context);
  const reasons = objects.flatMap(({ kind, metadata, spec }) => {
    if (kind !== 'Application') return [];
    const found = present.find((one) => one.metadata.name === metadata.name);
    if (!found) return [`${metadata.name} is missing`];
    const { status, ...itself } = found;
    const other = difference(itself as Application, (spec as Application['spec']).source);
    return other === undefined ? [] : [`${metadata.name} ${other}`];
  });
  if (reasons.length === 0) return false;
  const kubectl = await context.kubectl();
  await kubectl.apply(objects);
  for (const reason of reasons) note(`Registered anew: the Application ${reason}.`);
  return true;
}

/**
 * Whether a sync of another commit has failed, and only waits to be tried again: for up to three minutes, and as long as
 * it does, Argo CD begins no other (v3.5.7, autoSync: "another operation is in progress").
 */
function waitsToRetry({ operation, status }: Application, commit: string): boolean {
  const { phase, finishedAt, syncResult } = status?.operationState ?? {};
  return operation !== undefined && phase === 'Running' && finishedAt !== undefined && syncResult?.revision !== commit;
}

/** What `argocd app terminate-op` does. */
async function endOperation(context: Context, { metadata }: Application): Promise<void> {
  const kubectl = await context.kubectl();
  const patch = JSON.stringify({ status: { operationState: { phase: 'Terminating' } } });
  const where = ['--namespace', argocdNamespace, '--type=merge', '--patch', patch];
  await kubectl.run(['patch', 'applications.argoproj.io', metadata.name, ...where]);
}
