import { type DashboardFile, panelsOf } from '../../../repository/dashboards/dashboard.ts';
import { type AllowedEmpty, allowedEmptyFile } from '../../../repository/dashboards/files.ts';
import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { mapIn, mapsIn, readYaml } from '../../../repository/yaml.ts';
import { ruleQueries } from '../queries/located.ts';

export const allowedEmptyRules = {
  'allowed-empty': `Every panel and rule in ${allowedEmptyFile} exists, stands there once, and has a reason.`,
};

/** Whether the list of what may be empty is about something that there is. */
export async function checkAllowedEmpty(repository: Repository, files: readonly DashboardFile[]): Promise<Finding[]> {
  const [document] = readYaml(await repository.text(allowedEmptyFile).catch(() => ''));
  const value = mapIn<{ panels: unknown; rules: unknown }>(document?.value);
  const findings: Finding[] = [];
  const found = (path: (string | number)[], message: string, remedy: string) => {
    const line = document?.line(path);
    findings.push({
      rule: 'allowed-empty',
      file: allowedEmptyFile,
      ...(line !== undefined && { line }),
      message,
      remedy,
    });
  };
  if (document?.error) found([], `It is no YAML: ${document.error.message}.`, 'Correct the line.');

  const panels = new Set(
    files.flatMap(({ dashboard }) => panelsOf(dashboard.panels).map(({ panel }) => `${dashboard.uid}: ${panel.title}`)),
  );
  const rules = new Set((await ruleQueries(repository)).map(({ rule }) => String(rule.record ?? rule.alert)));
  const seen = new Set<string>();
  const check = (path: (string | number)[], name: string, known: ReadonlySet<string>, reason: unknown) => {
    if (!known.has(name)) found(path, `${name} does not exist.`, 'Correct the name, or take the entry out.');
    if (seen.has(name)) found(path, `${name} stands here twice.`, 'Take one of the two out.');
    seen.add(name);
    if (typeof reason !== 'string' || reason.trim().length < 10) {
      found(path, `${name} has no reason.`, 'Say why it has no data although all is well, and what gives it some.');
    }
  };
  for (const [index, one] of mapsIn<AllowedEmpty['panels'][number]>(value.panels).entries()) {
    check(['panels', index], `${one.dashboard}: ${one.panel}`, panels, one.reason);
  }
  for (const [index, one] of mapsIn<AllowedEmpty['rules'][number]>(value.rules).entries()) {
    check(['rules', index], String(one.rule), rules, one.reason);
  }
  return findings;
}
