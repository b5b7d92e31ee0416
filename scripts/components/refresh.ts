import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import type { ExecOptions } from '../lib/exec.ts';
import { type Application, argocdNamespace } from '../repository/applications.ts';

/** Set by whoever wants Argo CD to look now; Argo CD takes it away with the result of that look. */
const refreshAnnotation = 'argocd.argoproj.io/refresh';

/**
 * Has Argo CD look at Applications now; by itself it does every few seconds. Asked so, it also asks Git again what HEAD is,
 * in place of believing for a few seconds what it heard before (v3.5.7, needRefreshAppStatus: CompareWithLatestForceResolve).
 * A mistake that it only remembers is looked at again as well.
 */
export async function requestRefresh(context: Context, applications: readonly Application[]): Promise<void> {
  const remembers = ({ status }: Application) =>
    status?.conditions?.some(({ message }) => message.includes('(cached)')) ?? false;
  const others = applications.filter((application) => !remembers(application));
  await Promise.all([annotate(context, 'hard', applications.filter(remembers)), annotate(context, 'normal', others)]);
}

/** Milliseconds between two nudges. */
const nudgeIntervalMs = 1000;

/**
 * Makes what has Argo CD go on with Applications that it is deleting. It looks again whether all that they deployed is gone
 * when one of them changes, and else only every few seconds: measured, that took 16 s in place of 18 s.
 */
export function createRefresher(context: Context): (applications: readonly KubeObject[]) => Promise<void> {
  let [last, count] = [Number.NEGATIVE_INFINITY, 0];
  return async (applications) => {
    if (applications.length === 0 || performance.now() - last < nudgeIntervalMs) return;
    last = performance.now();
    count += 1;
    // Only a change of the annotation is one of the Application. One that is gone by now needs nothing any more.
    await annotate(context, count % 2 === 0 ? 'hard' : 'normal', applications, { nothrow: true });
  };
}

async function annotate(
  context: Context,
  kind: string,
  applications: readonly KubeObject[],
  options: ExecOptions = {},
): Promise<void> {
  if (applications.length === 0) return;
  const kubectl = await context.kubectl();
  const names = applications.map(({ metadata }) => metadata.name);
  const where = ['--namespace', argocdNamespace, '--overwrite'];
  await kubectl.run(
    ['annotate', 'applications.argoproj.io', ...names, ...where, `${refreshAnnotation}=${kind}`],
    options,
  );
}

/** Whether Argo CD has still to look, as it was asked to: what it says of an Application may be of before that. */
export function isRefreshPending({ metadata }: Application): boolean {
  return metadata.annotations?.[refreshAnnotation] !== undefined;
}
