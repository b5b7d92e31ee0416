import type { Context } from '../context.ts';
import { UserError } from '../lib/errors.ts';
import { type KubeObject, nameOf } from '../lib/objects.ts';
import { WaitTimeout, waitUntil } from '../lib/wait.ts';
import { isReady, type Pod } from '../lib/workloads.ts';
import { holders } from './manifests.ts';
import { tolerantly } from './until-ready.ts';

/** What Argo CD holds back by a finalizer: kind, and its name for kubectl. */
const heldBack = [
  ['Application', 'applications.argoproj.io'],
  ['AppProject', 'appprojects.argoproj.io'],
] as const;

/**
 * Waits until no namespace or custom resource definition of these is on its way out, since what is applied into one
 * goes with it. Applications are held back by Argo CD's finalizer; where Argo CD is gone too, nobody would ever lift
 * it, so it is lifted here. The services that they made stay, and are adopted when the Applications are back.
 * Throws a `UserError` that names what does not go away.
 */
export async function untilGone(context: Context, objects: readonly KubeObject[]): Promise<void> {
  const wanted = holders(objects);
  const leaving = async () => {
    const lists = await Promise.all(
      [...new Set(wanted.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`))].map((key) => {
        const [apiVersion = '', kind = ''] = key.split(' ');
        return context.api().listMetadata(apiVersion, kind);
      }),
    );
    return lists
      .flat()
      .filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
      .find((object) =>
        wanted.some(({ kind, metadata }) => kind === object.kind && metadata.name === object.metadata.name),
      );
  };
  const look = async () => {
    const object = await leaving();
    if (!object) return undefined;
    if (!(await argocdRuns(context))) await release(context);
    return `${nameOf(object)} is still being deleted`;
  };
  try {
    await waitUntil(() => tolerantly(look), { timeout: context.timeout, signal: context.signal, every: 1000 });
  } catch (error) {
    if (!(error instanceof WaitTimeout)) throw error;
    throw new UserError(`${error.missing}, and nothing can be installed into it.`, {
      hint: 'npm run down && npm run up',
    });
  }
}

async function argocdRuns(context: Context): Promise<boolean> {
  const pods = await context.api().list<Pod>('v1', 'Pod', 'argocd');
  return pods.some(
    (pod) =>
      pod.metadata.name.startsWith('argocd-application-controller') && isReady(pod) && !pod.metadata.deletionTimestamp,
  );
}

async function release(context: Context): Promise<void> {
  const kubectl = await context.kubectl();
  const patch = JSON.stringify({ metadata: { finalizers: null } });
  for (const [kind, resource] of heldBack) {
    const all = await context.api().listMetadata('argoproj.io/v1alpha1', kind);
    for (const { metadata } of all.filter((one) => one.metadata.deletionTimestamp && one.metadata.finalizers?.length)) {
      const namespace = metadata.namespace ?? 'argocd';
      // It may be gone by now, which is what is wanted.
      await kubectl.run(
        ['patch', resource, metadata.name, '--namespace', namespace, '--type=merge', '--patch', patch],
        { nothrow: true },
      );
    }
  }
}
