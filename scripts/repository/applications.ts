import type { Context } from '../kubernetes/context.ts';
import type { Application } from './services.ts';

/** The namespace that Argo CD runs in, and that Applications and their projects lie in. */
export const argocdNamespace = 'argocd';
/** The API version of Applications and their projects. */
export const applicationApi = 'argoproj.io/v1alpha1';

/** Every Application in the cluster, as the context's view has them. */
export async function applicationsOf(context: Context): Promise<Application[]> {
  return context.view().list<Application>(applicationApi, 'Application');
}

/** The Applications in Argo CD's namespace as they are at this moment, for who waits until they change. */
export async function applicationsNow(context: Context): Promise<Application[]> {
  return context.api().list<Application>(applicationApi, 'Application', argocdNamespace);
}
