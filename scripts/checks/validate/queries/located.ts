import { type DashboardFile, dashboardFiles, panelsOf } from '../../../repository/dashboards/dashboard.ts';
import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { type FieldPath, mapIn, mapsIn, readYaml } from '../../../repository/yaml.ts';
import { prometheusFiles } from '../prometheus/files.ts';

/** A PromQL query, and where it stands. */
export interface LocatedQuery {
  expr: string;
  file: string;
  line?: number;
  /** For a sentence: `platform-overview.json, panel "Requests"`. */
  where: string;
  /** The variables that it may use: those of its dashboard, none in a rule. */
  variables: ReadonlySet<string>;
}

export interface Rule {
  record?: string;
  alert?: string;
  expr?: unknown;
  annotations?: { summary?: unknown; description?: unknown; runbook_url?: unknown };
}

export type LocatedRule = LocatedQuery & { rule: Rule };

/** Every query of the dashboards: of panels, annotations and variables. */
export async function dashboardQueries(repository: Repository): Promise<LocatedQuery[]> {
  return (await dashboardFiles(repository)).flatMap(queriesOf);
}

function queriesOf({ embedded, dashboard, line }: DashboardFile): LocatedQuery[] {
  const list = dashboard.variables;
  const variables = new Set(list.map(({ name = '' }) => name));
  const query = (expr: unknown, path: FieldPath, what: string): LocatedQuery[] => {
    if (typeof expr !== 'string') return [];
    const at = line(path);
    const where = `${embedded.key}, ${what}`;
    return [{ expr, file: embedded.file, ...(at !== undefined && { line: at }), where, variables }];
  };
  return [
    ...list.flatMap((variable, index) =>
      query(asked(variable), ['templating', 'list', index, 'query'], `variable ${variable.name}`),
    ),
    ...dashboard.annotations.flatMap(({ name, expr, target }, index) =>
      query(expr ?? mapIn<{ expr: unknown }>(target).expr, ['annotations', 'list', index], `annotation "${name}"`),
    ),
    ...panelsOf(dashboard.panels).flatMap(({ panel, path }) =>
      panel.targets.flatMap(({ expr }, index) =>
        query(expr, [...path, 'targets', index, 'expr'], `panel "${panel.title}"`),
      ),
    ),
  ];
}

/** The PromQL inside of a variable's query: `label_values(up, job)` asks for `up`. */
function asked({ type, query }: { type?: string; query?: unknown }): string | undefined {
  if (type !== 'query') return undefined;
  const text = typeof query === 'object' ? (query as { query?: unknown } | null)?.query : query;
  if (typeof text !== 'string') return undefined;
  const { series, expr } =
    /^\s*(?:label_values\((?<series>.+),\s*\w+\s*\)|query_result\((?<expr>.+)\))\s*$/s.exec(text)?.groups ?? {};
  return series ?? expr;
}

/** Every rule of Prometheus with its query, in the order of the files. */
export async function ruleQueries(repository: Repository): Promise<LocatedRule[]> {
  const { rules } = await prometheusFiles(repository);
  return rules.flatMap((embedded) => {
    const [document] = readYaml(embedded.text);
    const { groups } = mapIn<{ groups: unknown }>(document?.value);
    return mapsIn<{ rules: unknown }>(groups).flatMap(({ rules: members }, group) =>
      mapsIn<Rule>(members).map((rule: Rule, index) => {
        const line = document?.line(['groups', group, 'rules', index, 'expr']);
        const at = line === undefined ? undefined : embedded.line(line);
        const where = `${embedded.key}, rule ${rule.record ?? rule.alert}`;
        return {
          rule,
          expr: String(rule.expr ?? ''),
          file: embedded.file,
          ...(at !== undefined && { line: at }),
          where,
          variables: new Set<string>(),
        };
      }),
    );
  });
}

/** The finding about a query, or about the rule that it belongs to. What it is in is put before `message`. */
export function findingIn(query: LocatedQuery, rule: string, message: string, remedy: string): Finding {
  const { file, line, where } = query;
  return { rule, file, ...(line !== undefined && { line }), message: `${where}: ${message}.`, remedy };
}
