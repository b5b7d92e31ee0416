import { wasApplied } from '../cluster/ownership.ts';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { UserError } from '../lib/errors.ts';
import { type Application, defaultNamespace, namespacesOf } from '../repository/applications.ts';
import { memoizePerContext } from '../repository/manifests.ts';
import { readRegistrations, readServiceApplications } from '../repository/registrations.ts';
import { waitForTermination } from './removal.ts';

/** What comes with every cluster. */
const standard: ReadonlySet<string> = new Set([defaultNamespace, 'kube-system', 'kube-public', 'kube-node-lease']);

/** By this a Namespace that `up` created is known, besides its field manager. */
const [label, owner] = ['app.kubernetes.io/managed-by', 'platform-ops'];

/** The namespaces that the services are deployed into, each once; the default one where there is no service. */
export const serviceNamespaces = memoizePerContext(async (context: Context): Promise<string[]> => {
  const found = namespacesOf(await readServiceApplications(context));
  return found.length > 0 ? found : [defaultNamespace];
});

/**
 * Creates the namespaces of the services that the cluster lacks, as Argo CD would with CreateNamespace=true: pull secrets and
 * certificates have to lie there before the first pod. One that somebody else created is left as it is.
 * @returns what was created.
 * @throws UserError for one that nobody is to create.
 */
export async function ensureNamespaces(context: Context): Promise<string[]> {
  const wanted = (await serviceNamespaces(context)).filter((name) => !standard.has(name)).map(namespaceObject);
  if (wanted.length === 0) return [];
  await waitForTermination(context, wanted);
  const present = new Set((await context.api().listMetadata('v1', 'Namespace')).map(({ metadata }) => metadata.name));
  const missing = wanted.filter(({ metadata }) => !present.has(metadata.name));
  if (missing.length === 0) return [];
  const { objects, applications } = await readRegistrations(context.config.root);
  const objectsToApply = missing.map((object) => {
    const { name } = object.metadata;
    const written = objects.find(({ kind, metadata }) => kind === 'Namespace' && metadata.name === name);
    const users = applications.filter((one) => namespacesOf([one]).includes(name));
    if (written !== undefined || users.some(createsNamespace)) return written ?? object;
    throw new UserError(
      `The Application ${users[0]?.metadata.name} deploys into the namespace ${name}, which is missing.`,
      {
        id: 'namespace-missing',
        hint: `Add CreateNamespace=true to its spec.syncPolicy.syncOptions, or create it: kubectl create namespace ${name}`,
      },
    );
  });
  const kubectl = await context.kubectl();
  const changed = await kubectl.apply(objectsToApply);
  context.view().forget();
  return changed;
}

/** Whether `up` created it for the services. */
export function isServiceNamespace(object: KubeObject): boolean {
  return object.kind === 'Namespace' && object.metadata.labels?.[label] === owner && wasApplied(object);
}

function namespaceObject(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { [label]: owner } } };
}

function createsNamespace({ spec }: Application): boolean {
  const { syncOptions = [] } = (spec.syncPolicy ?? {}) as { syncOptions?: unknown };
  return Array.isArray(syncOptions) && syncOptions.includes('CreateNamespace=true');
}
