import { closest } from '../../../lib/text.ts';
import {
  undefinedVariables,
  unknownName,
  unknownText,
  withoutVariables,
} from '../../../repository/dashboards/queries.ts';
import {
  alertSeries,
  type MetricList,
  metricsFile,
  ownSeries,
  readMetricList,
} from '../../../repository/metric-names.ts';
import type { Finding, ValidationCheck } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { jobLabels } from '../prometheus/scrape.ts';
import { dashboardQueries, findingIn, type LocatedQuery, ruleQueries } from './located.ts';
import { type Matcher, readQuery, type Selector } from './promql.ts';

/** Whether the queries of dashboards and rules ask for something that there is. */
export const validateQueries: ValidationCheck = {
  name: 'queries',
  title: 'queries name metrics and services that exist',
  rules: {
    'query-syntax': 'Every query of a dashboard or a rule is PromQL.',
    'query-variable': "Every variable in a dashboard's query is the dashboard's own or Grafana's.",
    'query-metric': `Every metric in a query is listed in ${metricsFile} for a job that is scraped, or recorded by a rule.`,
    'query-service': 'Every job and service in a query is one that is scraped.',
    'metric-list': `${metricsFile} lists each metric of a job once.`,
  },
  async run(repository) {
    const [metrics, panels, rules] = await Promise.all([
      readMetricList(await repository.text(metricsFile)),
      dashboardQueries(repository),
      ruleQueries(repository),
    ]);
    const known = await findKnown(repository, metrics.list, rules);
    const faults = metrics.faults.map(({ line, message }) => ({
      rule: 'metric-list',
      file: metricsFile,
      line,
      message: `${message}.`,
      remedy: 'Correct the line; the head of the file says what belongs in it.',
    }));
    return [
      ...faults,
      ...panels.flatMap((query) => [...checkVariables(query), ...checkQuery(query, known)]),
      ...rules.flatMap((query) => checkQuery(query, known)),
    ];
  },
};

interface Known {
  /** By the value of the label `job`, only those that are scraped. */
  jobs: ReadonlyMap<string, ReadonlySet<string>>;
  /** Those that belong to no job alone. */
  metrics: ReadonlySet<string>;
  services: readonly string[];
  /** The jobs whose metrics say by a `service` of their own what they are about. */
  free: ReadonlySet<string>;
}

async function findKnown(
  repository: Repository,
  list: MetricList,
  rules: Awaited<ReturnType<typeof ruleQueries>>,
): Promise<Known> {
  const labels = await jobLabels(repository);
  const recorded = rules.flatMap(({ rule }) => rule.record ?? []);
  const alerts = rules.some(({ rule }) => rule.alert !== undefined) ? alertSeries : [];
  const jobs = [...labels.keys()].map((job) => {
    const { recorded: seen = [], documented = [] } = list.get(job) ?? {};
    return [job, new Set([...seen, ...documented])] as const;
  });
  const free = new Set([...labels].flatMap(([label, job]) => (job.honor_labels ? label : [])));
  return {
    jobs: new Map(jobs),
    metrics: new Set([...ownSeries, ...alerts, ...recorded]),
    services: [...labels.keys()],
    free,
  };
}

function checkVariables(query: LocatedQuery): Finding[] {
  return undefinedVariables(query.expr, query.variables).map((name) =>
    findingIn(
      query,
      'query-variable',
      `the variable $${name} is not defined`,
      'Define it under templating, or correct it.',
    ),
  );
}

function checkQuery(query: LocatedQuery, known: Known): Finding[] {
  const { selectors, fault } = readQuery(withoutVariables(query.expr));
  if (fault !== undefined) {
    const message = `the query is not PromQL, ${fault} was not expected`;
    return [findingIn(query, 'query-syntax', message, "Try it in Prometheus' own query page.")];
  }
  return selectors.flatMap((selector) => [
    ...checkMetric(query, selector, known),
    ...aboutJobs(selector, known).flatMap((matcher) => checkService(query, matcher, known)),
  ]);
}

function checkMetric(query: LocatedQuery, selector: Selector, known: Known): Finding[] {
  const { name } = selector;
  const { jobs, metrics } = known;
  if (name === undefined || name.includes(unknownName) || name.includes(unknownText) || metrics.has(name)) return [];
  const having = jobsWith(name, known);
  if (having.length === 0) {
    const near = closest(name, [...new Set([...jobs.values()].flatMap((names) => [...names])), ...metrics]);
    const guess = near === undefined ? '' : `Did you mean ${near}? `;
    const remedy = `${guess}If it is new, run it, and add it to ${metricsFile}.`;
    return [findingIn(query, 'query-metric', `no job that is scraped has the metric ${name}`, remedy)];
  }
  const asked = aboutJobs(selector, known);
  if (having.some((job) => asked.every((matcher) => admits(matcher, job)))) return [];
  const message = `${name} comes from ${having.join(', ')} only, which the query leaves out`;
  return [findingIn(query, 'query-metric', message, 'Correct the metric, or the job or service that is asked.')];
}

function checkService(query: LocatedQuery, matcher: Matcher, { services }: Known): Finding[] {
  if (matcher.value === '' || matcher.value.includes(unknownText)) return [];
  const isRegex = matcher.operator.endsWith('~');
  const parts = isRegex ? matcher.value.replace(/^\((?:\?:)?(.*)\)$/, '$1').split('|') : [matcher.value];
  const positive = { ...matcher, operator: isRegex ? ('=~' as const) : ('=' as const) };
  return parts
    .filter((part) => !services.some((service) => admits({ ...positive, value: part }, service)))
    .map((part) => {
      const near = closest(part, services);
      const remedy = near === undefined ? `There are ${services.join(', ')}.` : `Did you mean ${near}?`;
      return findingIn(query, 'query-service', `no ${matcher.label} that is scraped is called ${part}`, remedy);
    });
}

function jobsWith(metric: string, { jobs }: Known): string[] {
  return [...jobs].filter(([, names]) => names.has(metric)).map(([job]) => job);
}

/** The matchers that choose among the jobs. The ingress controller's `service` is the one that a request was for. */
function aboutJobs({ name = '', matchers }: Selector, known: Known): Matcher[] {
  const having = jobsWith(name, known);
  const isFree = having.length > 0 && having.every((job) => known.free.has(job));
  return matchers.filter(({ label }) => label === 'job' || (label === 'service' && !isFree));
}

/** Whether a matcher lets this value pass. What a regex of Go's own means, is not decided here. */
function admits({ operator, value }: Matcher, label: string): boolean {
  if (value.includes(unknownText) && !operator.endsWith('~')) return true;
  if (operator === '=') return label === value;
  if (operator === '!=') return label !== value;
  try {
    return new RegExp(`^(?:${value})$`).test(label) === (operator === '=~');
  } catch {
    return true;
  }
}
