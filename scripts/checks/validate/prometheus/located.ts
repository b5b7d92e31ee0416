import { type DashboardFile, dashboardFiles, panelsOf } from '../../../repository/dashboards/dashboard.ts';
import type { Finding } from '../../../repository/rendering/finding.ts';
import { type Embedded, embeddedTexts } from '../../../repository/rendering/manifests.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { type FieldPath, mapIn, mapsIn, readYaml } from '../../../repository/yaml.ts';

/** A PromQL query, and where it stands. */
export interface LocatedQuery {
  expr: string;
  file: string;
  line: number | undefined;
  /** For a sentence: `platform-overview.json, panel "Requests"`. */
  where: string;
  /** The variables that it may use: those of its dashboard, none in a rule. */
  variables: ReadonlySet<string>;
}

interface Rule {
  record?: string;
  alert?: string;
  expr?: unknown;
  annotations?: { summary?: unknown; description?: unknown; runbook_url?: unknown };
}

export type LocatedRule = LocatedQuery & { rule: Rule };

/** @returns the texts of ConfigMaps that Prometheus reads, by the names of the ConfigMaps: its configuration, and files of rules. */
export async function prometheusFiles(repository: Repository): Promise<{ configs: Embedded[]; rules: Embedded[] }> {
  const texts = await embeddedTexts(repository, 'observability/');
  const namesOf = (name: RegExp) => texts.filter(({ configMap }) => name.test(configMap.object.metadata.name));
  return { configs: namesOf(/^prometheus-config$/), rules: namesOf(/^prometheus-rules(-|$)/) };
}

/** @returns how often Prometheus scrapes what says nothing else, as its configuration has it. */
export async function scrapeInterval(repository: Repository): Promise<string | undefined> {
  const { configs } = await prometheusFiles(repository);
  const [document] = configs.flatMap(({ text }) => readYaml(text));
  const { global } = mapIn<{ global: unknown }>(document?.value);
  return mapIn<{ scrape_interval: string }>(global).scrape_interval;
}

/** @returns every query of the dashboards: of panels, annotations and variables. */
export async function dashboardQueries(repository: Repository): Promise<LocatedQuery[]> {
  return (await dashboardFiles(repository)).flatMap(queriesOf);
}

function queriesOf({ embedded: { file, key }, dashboard, line }: DashboardFile): LocatedQuery[] {
  const variables = new Set(dashboard.variables.map(({ name = '' }) => name));
  const query = (expr: unknown, path: FieldPath, what: string): LocatedQuery[] =>
    typeof expr === 'string' ? [{ expr, file, line: line(path), where: `${key}, ${what}`, variables }] : [];
  return [
    ...dashboard.variables.flatMap((variable, index) =>
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
  const text = typeof query === 'string' ? query : String(mapIn<{ query: unknown }>(query).query);
  const { series, expr } =
    /^\s*(?:label_values\((?<series>.+),\s*\w+\s*\)|query_result\((?<expr>.+)\))\s*$/s.exec(text)?.groups ?? {};
  return series ?? expr;
}

/** @returns every rule of Prometheus with its query, in the order of the files. */
export async function ruleQueries(repository: Repository): Promise<LocatedRule[]> {
  const { rules } = await prometheusFiles(repository);
  return rules.flatMap((embedded) => {
    const [document] = readYaml(embedded.text);
    const { groups } = mapIn<{ groups: unknown }>(document?.value);
    return mapsIn<{ rules: unknown }>(groups).flatMap(({ rules: members }, group) =>
      mapsIn<Rule>(members).map((rule: Rule, index) => ({
        rule,
        expr: String(rule.expr ?? ''),
        file: embedded.file,
        line: embedded.line(document?.line(['groups', group, 'rules', index, 'expr']) ?? 1),
        where: `${embedded.key}, rule ${rule.record ?? rule.alert}`,
        variables: new Set<string>(),
      })),
    );
  });
}

/** @returns the finding about a query, or about the rule that it belongs to. What it is in is put before `message`. */
export function findingIn({ file, line, where }: LocatedQuery, rule: string, message: string, remedy: string): Finding {
  return { rule, file, line, message: `${where}: ${message}.`, remedy };
}
