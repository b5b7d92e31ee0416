import { ApiError } from '../../kubernetes/api/api.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { isReady, type Pod } from '../../kubernetes/workloads.ts';
import { shortened } from '../../lib/errors.ts';
import { capacityForADay, loadQueries } from './capacity.ts';
import { counted, nameLabel, type VerificationCheck, type VerificationFinding } from './check.ts';
import type { LiveCluster, ResourceAttributes } from './live.ts';
import { prometheusNamespace } from './prometheus-api.ts';
import { jobsIn } from './relabeling.ts';

/** Whether Prometheus is there, and runs with the configuration of this checkout. */
export const verifyPrometheus: VerificationCheck = {
  name: 'prometheus',
  title: 'Prometheus runs with its configuration',
  async run(live) {
    const status = await live.status('prometheus');
    if (status.state !== 'ready') {
      return { findings: [await explainUnready(live, status.missing)], detail: 'it is not as it should be' };
    }
    const [jobs, groups] = await Promise.all([live.prometheus.config(), live.prometheus.rules()]);
    const rules = groups.reduce((sum, group) => sum + group.rules.length, 0);
    return { findings: [], detail: `${counted(jobsIn(jobs).length, 'job')}, ${counted(rules, 'rule')}` };
  },
};

/** Of a configuration that it refuses, the component knows only that. */
async function explainUnready(live: LiveCluster, missing: string): Promise<VerificationFinding> {
  if (!/refuses its configuration/.test(missing)) {
    return { message: `Prometheus is not as this checkout has it: ${missing}.`, remedy: 'npm run up' };
  }
  const reason = await reasonInLog(live);
  return {
    message: `${missing}${reason === undefined ? '' : `: ${reason}`}.`,
    remedy: 'Correct the file below observability/prometheus (npm run validate -- prometheus), and npm run up.',
    lasting: true,
  };
}

/** The last error that Prometheus has written, without its own clothing: level, source and time. */
async function reasonInLog(live: LiveCluster): Promise<string | undefined> {
  const pods = await live.list<Pod>('v1', 'Pod', prometheusNamespace);
  const pod = pods.find((one) => one.metadata.labels?.[nameLabel] === 'prometheus' && isReady(one));
  if (!pod) return undefined;
  const log = await live.log(prometheusNamespace, pod.metadata.name).catch((error: unknown) => {
    if (error instanceof ApiError) return '';
    throw error;
  });
  const errors = [...log.matchAll(/level=ERROR .*?\berr(?:or)?="((?:[^"\\]|\\.)*)"/gi)].map((match) => match[1] ?? '');
  // The last words of a reload only say that one failed; the reason stands before them, and names a file.
  const reasons = errors.filter((text) => !/one or more errors occurred|previous rule set restored/.test(text));
  const told = reasons.filter((text) => text.includes('/etc/prometheus/')).at(-1) ?? reasons.at(-1);
  if (told === undefined) return undefined;
  const reason = told.replaceAll('\\"', '"').replaceAll(/\\n|\s+/g, ' ');
  return shortened(reason.replace(/\.$/, ''), 300);
}

/** What discovery asks the API server for, by role: https://prometheus.io/docs/prometheus/latest/configuration/configuration */
const resourcesByRole: Record<string, [group: string, resource: string][]> = {
  node: [['', 'nodes']],
  pod: [['', 'pods']],
  service: [['', 'services']],
  endpoints: [
    ['', 'endpoints'],
    ['', 'services'],
    ['', 'pods'],
  ],
  endpointslice: [
    ['discovery.k8s.io', 'endpointslices'],
    ['', 'services'],
    ['', 'pods'],
  ],
  ingress: [['networking.k8s.io', 'ingresses']],
};

interface JobAccess extends ResourceAttributes {
  jobs: string[];
}

/** Whether Prometheus may look for its targets. What it was told before a right was taken away, it goes on with for minutes. */
export const verifyDiscovery: VerificationCheck = {
  name: 'discovery',
  title: 'Prometheus may look for its targets',
  async run(live) {
    const [config, pods] = await Promise.all([
      live.prometheus.config(),
      live.list<Pod>('v1', 'Pod', prometheusNamespace),
    ]);
    const questions = questionsOf(config);
    const pod = pods.find(({ metadata }) => metadata.labels?.[nameLabel] === 'prometheus');
    const name = (pod?.spec as { serviceAccountName?: string } | undefined)?.serviceAccountName ?? 'default';
    const answers = await live.may({ namespace: prometheusNamespace, name }, questions.map(withoutJobs));
    const refused = questions.filter((_, index) => !answers[index]);
    const roles = refused.length === 0 ? [] : await rolesOf(await bindings(live.list), name);
    const findings = refused.map((question): VerificationFinding => {
      const { verb, resource, namespace: where, jobs } = question;
      const place = where === undefined ? 'of the cluster' : `in the namespace ${where}`;
      const granted = roles.filter((role) => role.namespace === where).map((role) => role.name);
      const named = granted.length === 0 ? 'no Role is bound to it there' : `it has ${granted.join(' and ')}`;
      return {
        message: `Prometheus may not ${verb} the ${resource} ${place}, so that ${listed('job', jobs)} can't find ${jobs.length === 1 ? 'its' : 'their'} targets: ${named}.`,
        remedy: `Give it the verb ${verb} for ${resource}: npm run up puts back what stands in Git.`,
        lasting: true,
      };
    });
    return { findings, detail: `${counted(questions.length, 'right')}` };
  },
};

function withoutJobs({ jobs, ...question }: JobAccess): ResourceAttributes {
  return question;
}

function questionsOf(config: string): JobAccess[] {
  const found = new Map<string, JobAccess>();
  for (const { name, discovery } of jobsIn(config)) {
    for (const { role, namespaces } of discovery) {
      const places = role === 'node' || namespaces.length === 0 ? [undefined] : namespaces;
      for (const [group, resource] of resourcesByRole[role] ?? []) {
        for (const place of places) {
          for (const verb of ['list', 'watch']) {
            const key = `${verb} ${resource} ${place}`;
            const question = { verb, group, resource, ...(place !== undefined && { namespace: place }), jobs: [] };
            const known = found.get(key) ?? question;
            found.set(key, { ...known, jobs: [...new Set([...known.jobs, name])] });
          }
        }
      }
    }
  }
  return [...found.values()];
}

interface Binding extends KubeObject {
  roleRef: { kind: string; name: string };
  subjects?: { kind: string; name: string; namespace?: string }[];
}

async function bindings(list: <T extends KubeObject>(apiVersion: string, kind: string) => Promise<T[]>) {
  const api = 'rbac.authorization.k8s.io/v1';
  const found = await Promise.all([list<Binding>(api, 'RoleBinding'), list<Binding>(api, 'ClusterRoleBinding')]);
  return found.flat();
}

/** The roles that are bound to the account, by the namespace in which they hold. */
async function rolesOf(
  all: readonly Binding[],
  account: string,
): Promise<{ namespace: string | undefined; name: string }[]> {
  return all
    .filter(({ subjects = [] }) =>
      subjects.some(
        (one) => one.kind === 'ServiceAccount' && one.name === account && one.namespace === prometheusNamespace,
      ),
    )
    .map(({ metadata, roleRef }) => ({ namespace: metadata.namespace, name: `the ${roleRef.kind} ${roleRef.name}` }));
}

function listed(noun: string, all: readonly string[]): string {
  return `${noun}${all.length === 1 ? '' : 's'} ${all.join(', ')}`;
}

/** Whether Prometheus has room for a day of what it takes in now. */
export const verifyCapacity: VerificationCheck = {
  name: 'capacity',
  title: 'Prometheus holds a day of this',
  async run(live) {
    const [samplesPerSecond, bytesPerSample, series] = await Promise.all(
      [loadQueries.samplesPerSecond, loadQueries.bytesPerSample, loadQueries.series].map(async (query) => {
        const [first] = await live.prometheus.query(query);
        return first === undefined ? undefined : Number(first.value[1]);
      }),
    );
    if (samplesPerSecond === undefined || series === undefined) {
      const message = 'Prometheus does not tell yet how much it takes in.';
      return { findings: [{ message, remedy: 'Wait until it has scraped itself twice.' }], detail: 'not known yet' };
    }
    const { fits, sentences } = capacityForADay({ samplesPerSecond, bytesPerSample, series }, await live.limits());
    const detail = sentences.join('; ');
    if (fits) return { findings: [], detail };
    const message = `Prometheus has no room for a day of what it takes in: ${detail}.`;
    const remedy =
      'Scrape less, or less often; or raise retention.size (prometheus.yml) or the memory limit (deployment.yaml) in observability/prometheus.';
    return { findings: [{ message, remedy }], detail: 'it does not fit' };
  },
};
