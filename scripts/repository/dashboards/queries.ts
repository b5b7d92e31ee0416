import { asDashboard, type Dashboard, panelsOf } from './dashboard.ts';

/** A query that a panel shows the answer of. */
export interface PanelQuery {
  /** The dashboard's uid. */
  dashboard: string;
  panel: string;
  /** PromQL that Prometheus takes, without Grafana's variables. */
  expr: string;
}

/** What Grafana makes of its own variables for a dashboard of half an hour; documented as "Global variables". */
const grafanaValues = {
  __rate_interval: '1m',
  __interval: '15s',
  __range: '30m',
  __range_s: '1800',
  __interval_ms: '15000',
};

/** What the panels of a dashboard ask Prometheus when it is opened, given its parsed JSON: everything is chosen then. */
export function panelQueriesOf(json: unknown): PanelQuery[] {
  const dashboard = asDashboard(json);
  const values = new Map([...Object.entries(grafanaValues), ...chosen(dashboard)]);
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

/** The variables that Grafana itself fills in, from its documentation of "Global variables". */
const global = new Set([
  '__dashboard',
  '__from',
  '__interval',
  '__interval_ms',
  '__name',
  '__org',
  '__range',
  '__range_ms',
  '__range_s',
  '__rate_interval',
  '__timezone',
  '__to',
  '__user',
]);

/** `$name`, `${name}`, `${name:regex}`, `${name.field}`, `[[name]]`. `$1` belongs to label_replace. */
const reference = /\$([A-Za-z_]\w*)|\$\{([A-Za-z_]\w*)(?:\.[^:}]*)?(?::[^}]*)?\}|\[\[([A-Za-z_]\w*)(?::\w+)?\]\]/g;

/** Stands for a metric or a label whose name only Grafana knows. */
export const unknownName = 'grafana_variable';
/** Stands for text in quotes that only Grafana knows. */
export const unknownText = '.*';

/** The names of the variables that a text uses, each once. */
export function variablesIn(text: string): string[] {
  return [...new Set([...text.matchAll(reference)].map((match) => match[1] ?? match[2] ?? match[3] ?? ''))];
}

/** Those of them that neither Grafana nor the dashboard defines. */
export function undefinedVariables(text: string, defined: ReadonlySet<string>): string[] {
  return variablesIn(text).filter((name) => !global.has(name) && !defined.has(name));
}

/** The query as PromQL: in place of each variable stands its value, or where that is not given something that may stand there. */
export function withoutVariables(query: string, values: ReadonlyMap<string, string> = new Map()): string {
  return query.replace(reference, (...args) => {
    const match = String(args[0]);
    const value = values.get(String(args[1] ?? args[2] ?? args[3]));
    if (value !== undefined) return value;
    const offset = args.find((each) => typeof each === 'number') as number;
    const before = query.slice(0, offset);
    const after = query.slice(offset + match.length);
    if (isInQuotes(before)) return unknownText;
    if (/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*$/.test(before)) return unknownName;
    if (/\[[^\]]*$/.test(before) || /\boffset\s+-?$/.test(before)) return '1m';
    return /\w$/.test(before) || /^[\w[{]/.test(after) ? unknownName : '1';
  });
}

/** Whether a quote is open at the end of the text. */
function isInQuotes(text: string): boolean {
  let open = '';
  for (let at = 0; at < text.length; at += 1) {
    const letter = text.charAt(at);
    if (open === '') open = /["'`]/.test(letter) ? letter : '';
    else if (letter === '\\' && open !== '`') at += 1;
    else if (letter === open) open = '';
  }
  return open !== '';
}
