import { join } from 'node:path';
import { dirname, join as joinPosix } from 'node:path/posix';
import { pathFromHere } from '../../../lib/files.ts';
import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { mapIn, mapsIn, readYaml, textsIn, type YamlDocument } from '../../../repository/yaml.ts';
import { findingIn, type LocatedRule } from './located.ts';
import { readQuery } from './promql.ts';
import type { Promtool } from './promtool.ts';

/** A file of unit tests for rules, as promtool reads it. */
interface UnitTest {
  file: string;
  text: string;
  document: YamlDocument | undefined;
}

/** The unit tests of rules: the YAML files of each folder `config/tests` below observability/. */
export async function unitTests(repository: Repository): Promise<UnitTest[]> {
  const files = (await repository.files('observability')).filter((file) => /\/tests\/[^/]+\.ya?ml$/.test(file));
  return Promise.all(
    files.map(async (file) => {
      const text = await repository.text(file);
      return { file, text, document: readYaml(text)[0] };
    }),
  );
}

/** Runs a unit test, on the rules as they lie beside it. */
export async function checkUnitTest(
  repository: Repository,
  { file, text, document }: UnitTest,
  promtool: Promtool,
): Promise<Finding[]> {
  const rule = 'prometheus-tests';
  const there = new Set(await repository.files('observability'));
  const missing = textsIn(mapIn<{ rule_files: unknown }>(document?.value).rule_files).flatMap((entry, index) => {
    const line = document?.line(['rule_files', index]) ?? 1;
    const message = `The test reads ${entry}, which does not exist.`;
    const isThere = there.has(joinPosix(dirname(file), entry));
    return isThere ? [] : [{ rule, file, line, message, remedy: 'Name it as it is seen from the test.' }];
  });
  if (missing.length > 0) return missing;
  const { exitCode, stdout, stderr } = await promtool(['test', 'rules', pathFromHere(join(repository.root, file))]);
  if (exitCode === 0) return [];
  const output = `${stderr}\n${stdout}`.replaceAll(`${repository.root}/`, '');
  const said = output
    .replace(/^\s*Unit Testing:.*$/m, '')
    .replaceAll(/\s*FAILED:\s*/g, ' ')
    .replaceAll(/\s+/g, ' ');
  const name = /\b(?:alertname|expr): "?([^",]+)/.exec(output)?.[1];
  const line = name === undefined ? 0 : text.split('\n').findIndex((each) => each.includes(name));
  const remedy = 'Correct the rule, or what the test expects of it.';
  return [{ rule, file, line: line + 1 || 1, message: `The test fails: ${said.trim()}`, remedy }];
}

/**
 * Each rule has unit tests. Of an alert they show when it fires, and when it keeps silent although there are data; one that asks
 * for nothing always fires.
 */
export function checkTested(rules: readonly LocatedRule[], tests: readonly UnitTest[]): Finding[] {
  const proofs = new Set(tests.flatMap(proofsIn));
  const remedy = 'Add one to the folder tests beside its rules; the others there show how.';
  return rules.flatMap((located) => {
    const { record, alert, expr } = located.rule;
    const isConstant = readQuery(String(expr)).selectors.length === 0;
    const silent = isConstant ? [] : [`has ${alert} keep silent`];
    const ofAlert = alert === undefined ? [] : [`has ${alert} fire`, ...silent];
    const wanted = record === undefined ? ofAlert : [`expects a value of ${record}`];
    return wanted
      .filter((proof) => !proofs.has(proof))
      .map((proof) => findingIn(located, 'prometheus-tested', `no unit test ${proof}`, remedy));
  });
}

/** What a file of unit tests proves: of alerts, that they fire and that they don't; of recorded metrics, that they have a value. */
function proofsIn({ document }: UnitTest): string[] {
  const { tests } = mapIn<{ tests: unknown }>(document?.value);
  return mapsIn<{ alert_rule_test: unknown; promql_expr_test: unknown }>(tests).flatMap((test) => [
    ...mapsIn<Record<string, unknown>>(test.alert_rule_test).map(
      ({ alertname, exp_alerts }) => `has ${alertname} ${mapsIn(exp_alerts).length > 0 ? 'fire' : 'keep silent'}`,
    ),
    ...mapsIn<Record<string, unknown>>(test.promql_expr_test)
      .filter(({ exp_samples }) => mapsIn(exp_samples).length > 0)
      .flatMap(({ expr }) => readQuery(String(expr)).selectors.map(({ name }) => `expects a value of ${name}`)),
  ]);
}

/** As GitHub shows a file of this repository, or of a fork of it. */
const runbookAddress = /^https:\/\/github\.com\/[^/]+\/[^/]+\/blob\/main\/(?<page>[^#]+)#(?<anchor>.+)$/;

/** Each alert says what is wrong, what that means, and where to read on; and there is something to read there. */
export async function checkRunbooks(repository: Repository, rules: readonly LocatedRule[]): Promise<Finding[]> {
  const pages = await repository.files('docs/runbooks');
  const anchors = new Map(
    await Promise.all(pages.map(async (page) => [page, headingsOf(await repository.text(page))] as const)),
  );
  const fault = (annotations: Record<string, unknown>): string | undefined => {
    const missing = ['summary', 'description', 'runbook_url'].find((field) => !annotations[field]);
    if (missing !== undefined) return `it has no ${missing}`;
    const { page = '', anchor = '' } = runbookAddress.exec(String(annotations.runbook_url))?.groups ?? {};
    const headings = anchors.get(page);
    if (headings === undefined) return 'its runbook_url leads to no file of docs/runbooks';
    return headings.includes(anchor) ? undefined : `${page} has no heading for #${anchor}`;
  };
  const remedy =
    'Give it a summary, a description and a runbook_url like the others have, and describe it in docs/runbooks/ under a heading of its name.';
  return rules.flatMap((located) => {
    const { alert, annotations = {} } = located.rule;
    const message = alert === undefined ? undefined : fault({ ...annotations });
    return message === undefined ? [] : [findingIn(located, 'alert-runbook', message, remedy)];
  });
}

/** The anchors that GitHub makes of a page's headings: in small letters, without punctuation, a dash for each space. */
function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
