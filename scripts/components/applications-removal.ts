import { applicationNames, isGenerated, isTracked } from '../cluster/ownership.ts';
import type { Context } from '../images/context.ts';
import { everyObject } from '../kubernetes/api/discovery.ts';
import { groupOf, type KubeObject, nameOf } from '../kubernetes/objects.ts';
import {
  runningObjectsOf,
  shortenGracePeriods,
  shortGracePeriod,
  startDeleting,
} from '../kubernetes/waiting/deletion.ts';
import { workloadKinds } from '../kubernetes/workloads.ts';
import { startStopwatch } from '../lib/retry.ts';
import { applicationApi } from '../repository/applications.ts';
import { createRefresher } from './refresh.ts';
import { argocdControllerState, removeFinalizers, removeObjects, waitUntilRemoved } from './removal.ts';

/** Milliseconds that Argo CD's controller gets to start, or to get on, before its work is done here. */
const controllerTimeoutMs = { starting: 20_000, standing: 30_000 };

/** What Argo CD deployed for the platform's Applications. */
export async function workloadsOf(context: Context): Promise<KubeObject[]> {
  const names = await applicationNames(context);
  return (await everyObject(context.api())).filter((object) => isTracked(object, names));
}

/**
 * Deletes Applications and projects, and waits until Argo CD has pruned what they deployed, which is to be among the objects,
 * but not for pods that still drain: the search for leftovers does.
 * Where it can't, without a working controller, their finalizers are removed and the rest is pruned here.
 * @returns what it did.
 * @throws UserError for what does not go away.
 */
export async function removeApplications(context: Context, objects: readonly KubeObject[]): Promise<string[]> {
  const isRegistered = ({ apiVersion }: KubeObject) => groupOf(apiVersion) === groupOf(applicationApi);
  const given = objects.filter(isRegistered);
  // What an ApplicationSet generated is deleted with it, and has to be gone before Argo CD is.
  const generated = given.some(({ kind }) => kind === 'ApplicationSet')
    ? (await context.api().listMetadata(applicationApi, 'Application')).filter(isGenerated)
    : [];
  const registered = [...given, ...generated].filter(({ kind }) => kind !== 'AppProject');
  // Last: without its project an Application can't be deleted, and a project has no finalizer that would wait for it.
  const projects = given.filter(({ kind }) => kind === 'AppProject');
  const workloads = objects.filter((object) => !isRegistered(object));
  const running = await runningObjectsOf(context, workloads);
  // Argo CD would give the pods all the time that they ask for to drain, which can't be shortened once they began. An
  // Application that is being deleted is not synced any more, so nothing brings them back.
  // A webhook is deleted before the program that answers for it, without which it would refuse the rest.
  const leaving = registered.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const runs = workloads.filter(({ kind }) => workloadKinds.has(kind));
  const hooks = workloads.filter(({ kind }) => kind.endsWith('WebhookConfiguration'));
  const all = [...leaving, ...hooks, ...runs, ...running.replicaSets, ...running.pods];
  await startDeleting(context, all, shortGracePeriod);
  const stuck = watchProgress(context);
  const nudge = createRefresher(context);
  await waitUntilRemoved(context, registered, async (left) => {
    const ending = await shortenGracePeriods(context, left, running);
    // Argo CD is done once the Deployments are gone. Their pods may go on for all their grace period, beside the next steps.
    if (left.length === 0) return undefined;
    if (ending === undefined) await nudge(left.filter(({ kind }) => kind === 'Application'));
    if (await stuck([...left.map(nameOf), ending ?? ''].join())) await removeFinalizers(context);
    return ending;
  });
  await removeObjects(context, [...projects, ...workloads]);
  return [...registered, ...projects, ...workloads].map((object) => `${nameOf(object)} (removed)`);
}

/** Tells whether Argo CD will not get any further, from what is seen at one look after another. */
function watchProgress(context: Context): (seen: string) => Promise<boolean> {
  const waited = startStopwatch();
  let last = { seen: '', at: 0 };
  return async (seen) => {
    const now = waited();
    if (seen !== last.seen) last = { seen, at: now };
    const controller = await argocdControllerState(context);
    if (controller === 'absent') return true;
    if (controller === 'starting') return now > controllerTimeoutMs.starting;
    return now - last.at > controllerTimeoutMs.standing;
  };
}
