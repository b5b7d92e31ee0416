import type { Context } from '../images/context.ts';
import { type KubeObject, nameOf } from '../kubernetes/objects.ts';
import { timeoutError, toleratingOutages } from '../kubernetes/waiting/api-server.ts';
import { deletionObstacles } from '../kubernetes/waiting/deletion.ts';
import { isReady, type Pod } from '../kubernetes/workloads.ts';
import { UserError } from '../lib/errors.ts';
import { WaitTimeout, waitUntil } from '../lib/retry.ts';
import { applicationApi, argocdNamespace } from '../repository/applications.ts';
import { holders } from '../repository/manifests.ts';

/** What Argo CD holds back by a finalizer: kind, and its name for kubectl. */
const heldBack = [
  ['Application', 'applications.argoproj.io'],
  ['AppProject', 'appprojects.argoproj.io'],
] as const;

/** What may go on being there for a while after it was deleted, because a finalizer holds it until something else is gone. */
const lingering = new Set(
  'AppProject Application DaemonSet Deployment Job PersistentVolumeClaim StatefulSet'.split(' '),
);

/**
 * Waits until none of these is on its way out, as after a removal that was interrupted: what is applied into a namespace
 * or onto an object that is leaving goes with it. Applications are held back by Argo CD's finalizer; where Argo CD is gone too, nobody would ever lift
 * it, so it is lifted here. The services that they made stay, and are adopted when the Applications are back.
 * Throws a `UserError` that names what does not go away.
 */
export async function untilGone(context: Context, objects: readonly KubeObject[]): Promise<void> {
  const wanted = [...holders(objects), ...objects.filter(({ kind }) => lingering.has(kind))];
  const leaving = async () => {
    const lists = await Promise.all(
      [...new Set(wanted.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`))].map((key) => {
        const [apiVersion = '', kind = ''] = key.split(' ');
        return context.view().listHeads(apiVersion, kind);
      }),
    );
    return lists
      .flat()
      .filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
      .find((object) =>
        wanted.some(
          ({ kind, metadata: { name, namespace } }) =>
            kind === object.kind && name === object.metadata.name && namespace === object.metadata.namespace,
        ),
      );
  };
  let last: KubeObject | undefined;
  const look = async () => {
    const object = await leaving();
    last = object;
    if (!object) return undefined;
    const mayWaitForArgocd = !lingering.has(object.kind) || heldBack.some(([kind]) => kind === object.kind);
    if (mayWaitForArgocd && (await argocdController(context)) !== 'running') await liftFinalizers(context);
    return `${nameOf(object)} is still being deleted`;
  };
  try {
    await waitUntil(toleratingOutages(context, look), {
      timeout: context.timeout,
      signal: context.signal,
      every: 1000,
    });
  } catch (error) {
    if (!(error instanceof WaitTimeout)) throw error;
    // Nobody answered, so nobody knows what is on its way out.
    if (last === undefined || !error.missing.startsWith(nameOf(last))) throw await timeoutError(context, error.missing);
    const reasons = await deletionObstacles(context, [last]);
    throw new UserError(
      [`${error.missing} after ${context.timeout / 1000} s, and nothing can be installed over it.`, ...reasons].join(
        '\n  ',
      ),
      {
        hint: 'Who set a finalizer has to lift it: have that program run, or take the finalizer out by kubectl edit, then npm run up. Or start afresh: npm run down && npm run up',
      },
    );
  }
}

/** Whether there is a pod of Argo CD's controller, which lifts the finalizers of what it prunes. */
export async function argocdController(context: Context): Promise<'running' | 'starting' | 'absent'> {
  const pods = (await context.api().list<Pod>('v1', 'Pod', argocdNamespace)).filter(
    ({ metadata }) => metadata.name.startsWith('argocd-application-controller') && !metadata.deletionTimestamp,
  );
  if (pods.length === 0) return 'absent';
  return pods.some(isReady) ? 'running' : 'starting';
}

/** Lifts the finalizers of the Applications and projects that are being deleted: what these deployed stays. */
export async function liftFinalizers(context: Context): Promise<void> {
  const kubectl = await context.kubectl();
  const patch = JSON.stringify({ metadata: { finalizers: null } });
  for (const [kind, resource] of heldBack) {
    const all = await context.api().listMetadata(applicationApi, kind);
    for (const { metadata } of all.filter((one) => one.metadata.deletionTimestamp && one.metadata.finalizers?.length)) {
      const namespace = metadata.namespace ?? argocdNamespace;
      // It may be gone by now, which is what is wanted.
      await kubectl.run(
        ['patch', resource, metadata.name, '--namespace', namespace, '--type=merge', '--patch', patch],
        { nothrow: true },
      );
    }
  }
}
