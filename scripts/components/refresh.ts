import type { Context } from '../context.ts';
import type { Application } from '../services.ts';
import { argocdNamespace } from './application-api.ts';

/** Set by whoever wants Argo CD to look now; Argo CD takes it away with the result of that look. */
const annotation = 'argocd.argoproj.io/refresh';

/**
 * Has Argo CD look at Applications now; by itself it does every few seconds. Asked so, it also asks Git anew what HEAD is,
 * in place of believing for a few seconds what it heard before (v3.5.7, needRefreshAppStatus: CompareWithLatestForceResolve).
 * A mistake that it only remembers is looked at again as well.
 */
export async function askToLook(context: Context, applications: readonly Application[]): Promise<void> {
  const remembers = ({ status }: Application) =>
    status?.conditions?.some(({ message }) => message.includes('(cached)')) ?? false;
  await Promise.all([
    annotate(context, 'hard', applications.filter(remembers)),
    annotate(
      context,
      'normal',
      applications.filter((application) => !remembers(application)),
    ),
  ]);
}

async function annotate(context: Context, kind: string, applications: readonly Application[]): Promise<void> {
  if (applications.length === 0) return;
  const kubectl = await context.kubectl();
  const names = applications.map(({ metadata }) => metadata.name);
  await kubectl.run([
    'annotate',
    'applications.argoproj.io',
    ...names,
    '--namespace',
    argocdNamespace,
    '--overwrite',
    `${annotation}=${kind}`,
  ]);
}

/** Whether Argo CD has still to look, as it was asked to: what it says of an Application may be of before that. */
export function isAskedToLook({ metadata }: Application): boolean {
  return metadata.annotations?.[annotation] !== undefined;
}
