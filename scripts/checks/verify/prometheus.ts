import { prometheusNamespace } from '../../components/prometheus-client.ts';
import { isReady } from '../../kubernetes/workloads.ts';
import { shortened } from '../../lib/errors.ts';
import { counted } from '../../lib/text.ts';
import { prometheusPods, type VerificationCheck, type VerificationFinding } from './check.ts';
import type { LiveCluster, LiveJob, ResourceAttributes } from './live.ts';

/** Whether Prometheus is there, and runs with the configuration of this checkout. */
export const verifyPrometheus: VerificationCheck = {
  name: 'prometheus',
  title: 'Prometheus runs with its configuration',
  async run(live) {
    const status = await live.status('prometheus');
    if (status.state !== 'ready')
      return { findings: [await explainUnready(live, status.missing)], detail: 'it is not as it should be' };
    const [jobs, groups] = await Promise.all([live.prometheus.jobs(), live.prometheus.rules()]);
    const rules = groups.reduce((sum, group) => sum + group.rules.length, 0);
    return { findings: [], detail: `${counted(jobs.length, 'job')}, ${counted(rules, 'rule')}` };
  },
};

/** Of a configuration that it refuses, the component knows only that. */
async function explainUnready(live: LiveCluster, missing: string): Promise<VerificationFinding> {
  if (!/refuses its configuration/.test(missing))
    return { message: `Prometheus is not as this checkout has it: ${missing}.`, remedy: 'npm run up' };
  const reason = await reasonInLog(live);
  return {
    message: `${missing}${reason === undefined ? '' : `: ${reason}`}.`,
    remedy: 'Correct the file below observability/prometheus (npm run validate -- prometheus), and npm run up.',
    lasting: true,
  };
}

/** The last error that Prometheus has logged, without level, source and time. */
async function reasonInLog(live: LiveCluster): Promise<string | undefined> {
  const pod = (await prometheusPods(live)).find(isReady);
  if (!pod) return undefined;
  const path = `/api/v1/namespaces/${prometheusNamespace}/pods/${pod.metadata.name}/log?tailLines=200`;
  const log = (await live.get(path)) ?? '';
  const errors = [...log.matchAll(/level=ERROR .*?\berr(?:or)?="((?:[^"\\]|\\.)*)"/gi)].map((match) => match[1] ?? '');
  // The last words of a reload only say that one failed; the reason stands before them, and names a file.
  const reasons = errors.filter((text) => !/one or more errors occurred|previous rule set restored/.test(text));
  const told = reasons.filter((text) => text.includes('/etc/prometheus/')).at(-1) ?? reasons.at(-1);
  if (told === undefined) return undefined;
  const reason = told.replaceAll('\\"', '"').replaceAll(/\\n|\s+/g, ' ');
  return shortened(reason.replace(/\.$/, ''), 300);
}

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
    const [jobs, [pod]] = await Promise.all([live.prometheus.jobs(), prometheusPods(live)]);
    const rights = rightsNeeded(jobs);
    const account = { namespace: prometheusNamespace, name: pod?.spec.serviceAccountName ?? 'default' };
    const answers = await live.may(
      account,
      rights.map(({ right }) => right),
    );
    const findings = rights.map(({ right: { verb, resource, namespace }, jobs: [job, ...others] }, index) => {
      if (answers[index]) return undefined;
      const place = namespace === undefined ? 'of the cluster' : `in the namespace ${namespace}`;
      const finders =
        others.length > 0 ? `jobs ${[job, ...others].join(', ')} can't find their` : `job ${job} can't find its`;
      return {
        message: `Prometheus may not ${verb} the ${resource} ${place}, so that ${finders} targets.`,
        remedy: `Give its ServiceAccount ${account.name} the verb ${verb} for ${resource}: npm run up applies the Role that is in Git.`,
        lasting: true as const,
      };
    });
    return { findings, detail: counted(rights.length, 'right') };
  },
};

/** Every right that a job needs, once, with the jobs that need it. */
function rightsNeeded(jobs: readonly LiveJob[]): { right: ResourceAttributes; jobs: Set<string> }[] {
  const found = new Map<string, { right: ResourceAttributes; jobs: Set<string> }>();
  for (const { name, discovery } of jobs)
    for (const { role, namespaces } of discovery)
      for (const resource of resourcesByRole[role] ?? [])
        for (const namespace of role === 'node' || namespaces.length === 0 ? [undefined] : namespaces)
          for (const verb of ['list', 'watch']) {
            const group = groups[resource] ?? '';
            const right = { verb, group, resource, ...(namespace !== undefined && { namespace }) };
            const key = JSON.stringify(right);
            const known = found.get(key) ?? { right, jobs: new Set() };
            known.jobs.add(name);
            found.set(key, known);
          }
  return [...found.values()];
}
