import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { ruleQueries } from '../queries/located.ts';
import { readQuery } from '../queries/promql.ts';

/** An alert is raised when a service has no pod at all: what isn't there brings no `up` that could be 0. */
export async function checkAbsence(repository: Repository): Promise<Finding[]> {
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
