import { closest } from '../../../lib/text.ts';
import {
  undefinedVariables,
  unknownName,
  unknownText,
  withoutVariables,
} from '../../../repository/dashboards/queries.ts';
import { alertSeries, metricsFile, ownSeries, readMetricList } from '../../../repository/metric-names.ts';
import type { Finding } from '../../../repository/rendering/finding.ts';
import type { ValidationCheck } from '../../../repository/rendering/repository.ts';
import { dashboardQueries, findingIn, type LocatedQuery, ruleQueries } from './located.ts';
import { type Matcher, readQuery, type Selector } from './promql.ts';

/** Whether the queries of dashboards and rules ask for something that there is. */
export const validateQueries: ValidationCheck = {
  name: 'queries',
  title: 'queries name metrics and services that exist',
  rules: {
    'query-syntax': 'Every query of a dashboard or a rule is PromQL.',
    'query-variable': "Every variable in a dashboard's query is the dashboard's own or Grafana's.",
    'query-metric': `Every metric in a query is listed in ${metricsFile}, for the job that is asked, or recorded by a rule.`,
    'query-service': `Every job in a query is in ${metricsFile}, and every service has a chart.`,
    'metric-list': `${metricsFile} lists each metric of a job once.`,
  },
  async run(repository) {
    const [{ list, faults }, panels, rules, charts] = await Promise.all([
      repository.text(metricsFile).then(readMetricList),
      dashboardQueries(repository),
      ruleQueries(repository),
      repository.charts(),
    ]);
    const alerts = rules.flatMap(({ rule, expr }) => (rule.alert === undefined ? [] : expr));
    const known: Known = {
      jobs: new Map([...list].map(([job, { recorded, documented }]) => [job, new Set([...recorded, ...documented])])),
      metrics: new Set([
        ...ownSeries,
        ...(alerts.length > 0 ? alertSeries : []),
        ...rules.flatMap(({ rule }) => rule.record ?? []),
      ]),
      services: charts.map(({ name }) => name),
    };
    return [
      ...faults.map(({ line, message }) => {
        const remedy = 'Correct the line; the head of the file says what belongs in it.';
        return { rule: 'metric-list', file: metricsFile, line, message: `${message}.`, remedy };
      }),
      ...panels.flatMap((query) =>
        undefinedVariables(query.expr, query.variables).map((name) => {
          const remedy = 'Define it under templating, or correct it.';
          return findingIn(query, 'query-variable', `the variable $${name} is not defined`, remedy);
        }),
      ),
      ...[...panels, ...rules].flatMap((query) => checkQuery(query, known)),
    ];
  },
};

interface Known {
  /** The metrics of each job, by the value of the label `job`. */
  jobs: ReadonlyMap<string, ReadonlySet<string>>;
  /** Those that belong to no job alone. */
  metrics: ReadonlySet<string>;
  /** The jobs that are services: only their targets get a label `service`. */
  services: readonly string[];
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
    return [findingIn(query, 'query-metric', `no job has the metric ${name}`, remedy)];
  }
  const asked = aboutJobs(selector, known);
  if (having.some((job) => asked.every((matcher) => admits(matcher, job)))) return [];
  const message = `${name} comes from ${having.join(', ')} only, which the query leaves out`;
  return [findingIn(query, 'query-metric', message, 'Correct the metric, or the job or service that is asked.')];
}

function checkService(query: LocatedQuery, matcher: Matcher, { jobs, services }: Known): Finding[] {
  if (matcher.value === '' || matcher.value.includes(unknownText)) return [];
  const names = matcher.label === 'job' ? [...jobs.keys()] : services;
  const isRegex = matcher.operator.endsWith('~');
  const parts = isRegex ? matcher.value.replace(/^\((?:\?:)?(.*)\)$/, '$1').split('|') : [matcher.value];
  const operator = isRegex ? '=~' : '=';
  return parts
    .filter((value) => !names.some((name) => admits({ ...matcher, operator, value }, name)))
    .map((part) => {
      const near = closest(part, names);
      const remedy = near === undefined ? `There are ${names.join(', ')}.` : `Did you mean ${near}?`;
      return findingIn(query, 'query-service', `no ${matcher.label} is called ${part}`, remedy);
    });
}

function jobsWith(metric: string, { jobs }: Known): string[] {
  return [...jobs].filter(([, names]) => names.has(metric)).map(([job]) => job);
}

/** The matchers that choose among the jobs. The ingress controller's `service` is the one that a request was for. */
function aboutJobs({ name = '', matchers }: Selector, known: Known): Matcher[] {
  const having = jobsWith(name, known);
  const isOfServices = having.length === 0 || having.some((job) => known.services.includes(job));
  return matchers.filter(({ label }) => label === 'job' || (label === 'service' && isOfServices));
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
