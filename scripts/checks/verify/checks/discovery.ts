import type { KubeObject } from '../../../kubernetes/objects.ts';
import type { Pod } from '../../../kubernetes/workloads.ts';
import { type Check, count, type Finding } from '../check.ts';
import { nameLabel } from '../pods.ts';
import { jobsIn } from '../relabeling.ts';
import type { Question } from '../rights.ts';

const namespace = 'observability';

/** What discovery asks the API server for, by role: https://prometheus.io/docs/prometheus/latest/configuration/configuration */
const asked: Record<string, [group: string, resource: string][]> = {
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

interface Asked extends Question {
  jobs: string[];
}

/** Whether Prometheus may look for its targets. What it was told before a right was taken away, it goes on with for minutes. */
export const discovery: Check = {
  name: 'discovery',
  title: 'Prometheus may look for its targets',
  async run(live) {
    const [config, pods] = await Promise.all([live.prometheus.config(), live.list<Pod>('v1', 'Pod', namespace)]);
    const questions = questionsOf(config);
    const pod = pods.find(({ metadata }) => metadata.labels?.[nameLabel] === 'prometheus');
    const name = (pod?.spec as { serviceAccountName?: string } | undefined)?.serviceAccountName ?? 'default';
    const answers = await live.may({ namespace, name }, questions.map(plain));
    const refused = questions.filter((_, index) => !answers[index]);
    const roles = refused.length === 0 ? [] : await rolesOf(await bindings(live.list), name);
    const findings = refused.map((question): Finding => {
      const { verb, resource, namespace: where, jobs } = question;
      const place = where === undefined ? 'of the cluster' : `in the namespace ${where}`;
      const granted = roles.filter((role) => role.namespace === where).map((role) => role.name);
      const named = granted.length === 0 ? 'no Role is bound to it there' : `it has ${granted.join(' and ')}`;
      return {
        message: `Prometheus may not ${verb} the ${resource} ${place}, so that ${names('job', jobs)} can't find ${jobs.length === 1 ? 'its' : 'their'} targets: ${named}.`,
        remedy: `Give it the verb ${verb} for ${resource}: npm run up puts back what stands in Git.`,
        lasting: true,
      };
    });
    return { findings, detail: `${count(questions.length, 'right')}` };
  },
};

function plain({ jobs, ...question }: Asked): Question {
  return question;
}

function questionsOf(config: string): Asked[] {
  const found = new Map<string, Asked>();
  for (const { name, discovery } of jobsIn(config)) {
    for (const { role, namespaces } of discovery) {
      const places = role === 'node' || namespaces.length === 0 ? [undefined] : namespaces;
      for (const [group, resource] of asked[role] ?? []) {
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
      subjects.some((one) => one.kind === 'ServiceAccount' && one.name === account && one.namespace === namespace),
    )
    .map(({ metadata, roleRef }) => ({ namespace: metadata.namespace, name: `the ${roleRef.kind} ${roleRef.name}` }));
}

function names(noun: string, all: readonly string[]): string {
  return `${noun}${all.length === 1 ? '' : 's'} ${all.join(', ')}`;
}
