import type { Context } from '../images/context.ts';
import { groupOf, type KubeObject } from '../kubernetes/objects.ts';
import { applicationApi } from '../repository/applications.ts';
import { readRegistrations } from '../repository/services.ts';
import { wasApplied } from './ownership.ts';

const annotation = 'argocd.argoproj.io/tracking-id';

/**
 * Whether one of these Applications deployed the object. Argo CD writes its name and the object's into an annotation
 * ("Resource Tracking": APPLICATION:GROUP/KIND:NAMESPACE/NAME); one that was copied from another object counts for nothing.
 */
export function isTracked(object: KubeObject, applications: ReadonlySet<string>): boolean {
  const id = object.metadata.annotations?.[annotation] ?? '';
  const application = id.slice(0, id.indexOf(':'));
  return applications.has(application) && id === trackingId(object, application)[annotation];
}

/** The annotation by which an object is known as deployed by an Application. */
export function trackingId({ apiVersion, kind, metadata }: KubeObject, application: string): Record<string, string> {
  const itself = `${groupOf(apiVersion)}/${kind}:${metadata.namespace ?? ''}/${metadata.name}`;
  return { [annotation]: `${application}:${itself}` };
}

/** The names of the platform's Applications: those that Git registers, and those that an earlier `up` did. */
export async function applicationNames(context: Context): Promise<Set<string>> {
  const [{ applications }, present] = await Promise.all([
    readRegistrations(context.config.root),
    context.api().listMetadata(applicationApi, 'Application'),
  ]);
  return new Set([...applications, ...present.filter(wasApplied)].map(({ metadata }) => metadata.name));
}
