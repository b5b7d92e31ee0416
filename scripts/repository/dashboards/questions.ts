import { withoutVariables } from './grafana-variables.ts';
import { asDashboard, type Dashboard, panelsOf } from './sources.ts';

/** A query that a panel shows the answer of. */
export interface Question {
  /** The dashboard's uid. */
  dashboard: string;
  panel: string;
  /** PromQL that Prometheus takes, without Grafana's variables. */
  expr: string;
}

/** What Grafana makes of its own variables for a dashboard of half an hour; documented as "Global variables". */
const own = { __rate_interval: '1m', __interval: '15s', __range: '30m', __range_s: '1800', __interval_ms: '15000' };

/** What the panels of a dashboard ask Prometheus when it is opened, given its parsed JSON: everything is chosen then. */
export function questionsOf(json: unknown): Question[] {
  const dashboard = asDashboard(json);
  const values = new Map([...Object.entries(own), ...chosen(dashboard)]);
  return panelsOf(dashboard.panels).flatMap(({ panel }) =>
    panel.targets.flatMap(({ expr }) =>
      typeof expr === 'string'
        ? [{ dashboard: dashboard.uid ?? '', panel: panel.title ?? '', expr: withoutVariables(expr, values) }]
        : [],
    ),
  );
}

/** A constant is what it is. Of all others the dashboards choose All, which is a regular expression that takes anything. */
function chosen({ variables }: Dashboard): [string, string][] {
  return variables.map(({ name = '', type, query }) => [name, type === 'constant' ? String(query) : '.+']);
}

/** Whether an answer of Prometheus' query API has something to show: a result that is nothing but NaN is drawn as nothing. */
export function hasData({ data }: { data: { result: { value?: [number, string] }[] } }): boolean {
  return data.result.some(({ value }) => value !== undefined && value[1] !== 'NaN');
}
