import type { Context } from '../images/context.ts';
import type { Workload } from '../kubernetes/workloads.ts';
import { applicationsOf, servicesNamespace } from '../repository/applications.ts';

/**
 * The Deployments of Applications that Argo CD has synced and that are not healthy: it says no more than that, and their
 * pods tell why.
 */
export async function unhealthyDeployments(context: Context): Promise<Workload[]> {
  const [applications, deployments] = await Promise.all([
    applicationsOf(context),
    context.view().list<Workload>('apps/v1', 'Deployment'),
  ]);
  const names = new Set(
    applications
      .filter(({ status }) => status?.sync?.status === 'Synced' && status.health?.status !== 'Healthy')
      .flatMap(({ status }) => status?.resources ?? [])
      .flatMap(({ kind, name }) => (kind === 'Deployment' ? [name] : [])),
  );
  return deployments.filter(({ metadata }) => metadata.namespace === servicesNamespace && names.has(metadata.name));
}
