import { type Finding, findingAt, type Located, type ValidationCheck } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import type { ObjectRule } from '../policy/rule.ts';
import { jobLabels } from '../prometheus/scrape.ts';
import { ruleQueries } from '../queries/located.ts';
import { readQuery } from '../queries/promql.ts';
import { isNamespaced, lookUp, objectNamespace } from './cluster.ts';
import { checkProject } from './project.ts';
import { trafficRules } from './traffic.ts';
import { workloadRules } from './workloads.ts';

/** What an object is called, and where it lives. */
const identityRules: readonly ObjectRule[] = [
  {
    id: 'namespace-exists',
    demands: 'A plain object names the namespace that it belongs into, and that namespace exists.',
    remedy: 'Set metadata.namespace to a namespace of a manifest here.',
    kinds: [],
    faults(located, all) {
      if (!isNamespaced(located.object.kind)) return [];
      const namespace = objectNamespace(located);
      if (namespace === undefined) {
        return [{ path: ['metadata'], message: 'it has no namespace, so whoever applies it decides.' }];
      }
      if (lookUp(all, 'Namespace', undefined, namespace) !== undefined) return [];
      return [{ path: ['metadata', 'namespace'], message: `there is no namespace ${namespace}.` }];
    },
  },
  {
    id: 'object-is-unique',
    demands: 'No object is there twice.',
    remedy: 'Remove one of them, or give it another name.',
    kinds: [],
    faults(located, all) {
      const twin = all.find(
        (other) =>
          other.object.kind === located.object.kind &&
          other.object.metadata?.name === located.object.metadata?.name &&
          other.object.apiVersion === located.object.apiVersion &&
          objectNamespace(other) === objectNamespace(located),
      );
      if (twin === located || twin === undefined) return [];
      return [{ path: ['metadata', 'name'], message: `${twin.file} has it, too.` }];
    },
  },
];

const tables: readonly ObjectRule[] = [...identityRules, ...trafficRules, ...workloadRules];

/** Whether what the objects say of each other is true. */
export const validateReferences: ValidationCheck = {
  name: 'references',
  title: 'objects name others that exist',
  rules: {
    ...Object.fromEntries(tables.map(({ id, demands }) => [id, demands])),
    'project-allows-kinds': 'The AppProject allows exactly the kinds that the charts can render.',
    'service-is-scraped': 'Prometheus scrapes the pods of each service.',
    'service-absence': 'An alert is raised when a service has no pod at all.',
  },
  async run(repository) {
    const plain = await repository.manifests();
    const worlds = [{ checked: plain, all: plain }, ...(await environments(repository, plain))];
    return [
      ...worlds.flatMap(({ checked, all }) => checked.flatMap((located) => findingsOf(located, all))),
      ...(await checkProject(repository)),
      ...(await checkScraped(repository)),
      ...(await checkAbsence(repository)),
    ];
  },
};

interface World {
  checked: readonly Located[];
  /** Everything that is in the cluster together with those. */
  all: readonly Located[];
}

/** For each choice of values, what all charts render with it: a service may name another one. */
async function environments(repository: Repository, plain: readonly Located[]): Promise<World[]> {
  const renderings = await repository.renderings();
  const charts = await repository.charts();
  return [...new Set(renderings.map(({ values }) => values))].map((values) => {
    const checked = charts.flatMap(({ name }) => {
      const own = renderings.filter(({ chart }) => chart.name === name);
      return (
        (own.find((one) => one.values === values) ?? own.find((one) => one.values === 'values.yaml'))?.objects ?? []
      );
    });
    return { checked, all: [...plain, ...checked] };
  });
}

function findingsOf(located: Located, all: readonly Located[]): Finding[] {
  return tables
    .filter(({ kinds }) => kinds.length === 0 || kinds.includes(located.object.kind))
    .flatMap((rule) =>
      rule
        .faults(located, all)
        .map(({ path, message, remedy }) => findingAt(located, rule.id, path, message, remedy ?? rule.remedy)),
    );
}

/** An alert is raised when a service has no pod at all: what isn't there brings no `up` that could be 0. */
async function checkAbsence(repository: Repository): Promise<Finding[]> {
  const rules = await ruleQueries(repository);
  const named = rules
    .filter(({ rule, expr }) => rule.alert !== undefined && /\babsent(_over_time)?\s*\(/.test(expr))
    .flatMap(({ expr }) => readQuery(expr).selectors.filter(({ name }) => name === 'up'))
    .flatMap(({ matchers }) =>
      matchers.filter(({ label, operator }) => /^(service|job)$/.test(label) && operator === '='),
    )
    .map(({ value }) => value);
  return (await repository.charts())
    .filter(({ name }) => !named.includes(name))
    .map(({ name, folder }) => ({
      rule: 'service-absence',
      file: `${folder}/Chart.yaml`,
      message: `No alert says so when ${name} has no pod at all.`,
      remedy: `Add absent(up{service="${name}"}) to the alert in observability/prometheus/rules/targets.yml, and a case to its tests.`,
    }));
}

/** Prometheus finds the pods of each service, by their labels, their namespace and the name of their port. */
async function checkScraped(repository: Repository): Promise<Finding[]> {
  const jobs = await jobLabels(repository);
  const deployments = (await repository.rendered()).filter(({ object }) => object.kind === 'Deployment');
  return deployments
    .filter(({ object }) => !jobs.has(object.metadata.name))
    .map((located) =>
      findingAt(
        located,
        'service-is-scraped',
        ['spec', 'template'],
        'no scrape job of Prometheus keeps these pods.',
        'Compare the labels and the port names with relabel_configs in observability/prometheus/prometheus.yml.',
      ),
    );
}
