import { type Finding, findingAt, type Located, type ValidationCheck } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import type { ObjectRule } from '../policy/rule.ts';
import { checkAbsence } from './absence.ts';
import { identityRules } from './identity.ts';
import { checkProject } from './project.ts';
import { checkScraped } from './scraped.ts';
import { trafficRules } from './traffic.ts';
import { workloadRules } from './workloads.ts';

const tables: readonly ObjectRule[] = [...identityRules, ...trafficRules, ...workloadRules];

/** Whether what the objects say of each other is true. */
export const references: ValidationCheck = {
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
