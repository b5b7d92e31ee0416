import { territoryOf } from '../../cluster/territory.ts';
import type { Context } from '../../images/context.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { readRegistrations, servicesNamespace } from '../../repository/applications.ts';

/** What of a cluster may be told to others. */
export interface Scope {
  /** Whether an object concerns the platform, or the service that it is named after. */
  concerns(object: Pick<KubeObject, 'metadata'>, name?: string): boolean;
  /** The namespaces that have something of the platform in them; undefined for all. */
  namespaces: readonly string[] | undefined;
}

/** All of a cluster of kind; of one that others use as well, what is the platform's alone. */
export async function scopeOf(context: Context): Promise<Scope> {
  if (context.target === undefined) return { concerns: () => true, namespaces: undefined };
  const [territory, { applications }] = await Promise.all([
    territoryOf(context),
    readRegistrations(context.config.root),
  ]);
  const services = applications.map(({ metadata }) => metadata.name);
  const isOf = (name: string) => services.some((service) => name === service || name.startsWith(`${service}-`));
  return {
    concerns: ({ metadata: { namespace, name } }, about = name) =>
      territory.namespaces.has(namespace ?? '') || (namespace === servicesNamespace && isOf(about)),
    namespaces: [servicesNamespace, ...territory.namespaces],
  };
}
