import { prometheusNamespace } from '../../components/prometheus-client.ts';
import { counted } from '../../lib/text.ts';
import { prometheusPods, type VerificationCheck } from './check.ts';
import { jobsIn, type ResourceAttributes } from './live.ts';

/** What discovery asks the API server for, by role: https://prometheus.io/docs/prometheus/latest/configuration/configuration */
const resourcesByRole: Record<string, readonly string[]> = {
  node: ['nodes'],
  pod: ['pods'],
  service: ['services'],
  endpoints: ['endpoints', 'services', 'pods'],
  endpointslice: ['endpointslices', 'services', 'pods'],
  ingress: ['ingresses'],
};
const groups: Record<string, string> = { endpointslices: 'discovery.k8s.io', ingresses: 'networking.k8s.io' };

/** Whether Prometheus may look for its targets. After a right is revoked, it works with what it knew for minutes. */
export const verifyDiscovery: VerificationCheck = {
  name: 'discovery',
  title: 'Prometheus may look for its targets',
  async run(live) {
    const [config, [pod]] = await Promise.all([live.prometheus.config(), prometheusPods(live)]);
    const rights = rightsNeeded(config);
    const name = pod?.spec.serviceAccountName ?? 'default';
    const questions = rights.map(({ attributes }) => attributes);
    const answers = await live.may({ namespace: prometheusNamespace, name }, questions);
    const refused = rights.filter((_, index) => !answers[index]);
    const findings = refused.map(({ attributes: { verb, resource, namespace }, jobs }) => {
      const place = namespace === undefined ? 'of the cluster' : `in the namespace ${namespace}`;
      const finders = jobs.length === 1 ? `job ${jobs[0]} can't find its` : `jobs ${jobs.join(', ')} can't find their`;
      return {
        message: `Prometheus may not ${verb} the ${resource} ${place}, so that ${finders} targets.`,
        remedy: `Give its ServiceAccount ${name} the verb ${verb} for ${resource}: npm run up applies the Role that is in Git.`,
        lasting: true as const,
      };
    });
    return { findings, detail: counted(rights.length, 'right') };
  },
};

/** Every right that a job of the configuration needs, once. */
function rightsNeeded(config: string): { attributes: ResourceAttributes; jobs: string[] }[] {
  const found = new Map<string, { attributes: ResourceAttributes; jobs: string[] }>();
  for (const { name, discovery } of jobsIn(config)) {
    for (const { role, namespaces } of discovery) {
      const places = role === 'node' || namespaces.length === 0 ? [undefined] : namespaces;
      const wanted = (resourcesByRole[role] ?? []).flatMap((resource) =>
        places.flatMap((namespace) =>
          ['list', 'watch'].map((verb) => ({
            ...{ verb, group: groups[resource] ?? '', resource },
            ...(namespace !== undefined && { namespace }),
          })),
        ),
      );
      for (const attributes of wanted) {
        const key = JSON.stringify(attributes);
        const known = found.get(key)?.jobs ?? [];
        found.set(key, { attributes, jobs: [...new Set([...known, name])] });
      }
    }
  }
  return [...found.values()];
}
