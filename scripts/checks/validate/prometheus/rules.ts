import { join } from 'node:path';
import { dirname, join as joinPosix } from 'node:path/posix';
import type { Output } from '../../../lib/exec.ts';
import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { mapIn, mapsIn, readYaml, textsIn, type YamlDocument } from '../../../repository/yaml.ts';
import { findingIn, ruleQueries } from '../queries/located.ts';
import { readQuery } from '../queries/promql.ts';
import type { Promtool } from './promtool.ts';

const observabilityFolder = 'observability';

/** A file of unit tests for rules, as promtool reads it. */
interface TestFile {
  file: string;
  text: string;
  document: YamlDocument | undefined;
}

/** The unit tests of rules: the YAML files of each folder `tests` below observability/. */
async function testFiles(repository: Repository): Promise<TestFile[]> {
  const files = (await repository.files(observabilityFolder)).filter((file) => /\/tests\/[^/]+\.ya?ml$/.test(file));
  return Promise.all(
    files.map(async (file) => {
      const text = await repository.text(file);
      return { file, text, document: readYaml(text)[0] };
    }),
  );
}

/** Runs the unit tests, on the rules as they lie beside them. */
export async function checkUnitTests(repository: Repository, promtool: Promtool): Promise<Finding[]> {
  const there = new Set(await repository.files(observabilityFolder));
  const tests = await testFiles(repository);
  const missing = tests.flatMap((test) => rulesNotThere(test, there));
  const run = (files: readonly string[]) =>
    promtool(
      join(repository.root, observabilityFolder),
      ['test', 'rules'].concat(files.map((file) => join(repository.root, file))),
    );
  const whole = tests.filter(({ file }) => !missing.some((one) => one.file === file));
  if (whole.length === 0 || (await run(whole.map(({ file }) => file))).exitCode === 0) return missing;
  // Only now it is worth the time to find out which file fails.
  const failed = await Promise.all(whole.map(async (test) => failures(repository.root, test, await run([test.file]))));
  return [...missing, ...failed.flat()];
}

function rulesNotThere({ file, document }: TestFile, there: ReadonlySet<string>): Finding[] {
  const ruleFiles = textsIn(mapIn<{ rule_files: unknown }>(document?.value).rule_files);
  return ruleFiles.flatMap((entry, index) => {
    const line = document?.line(['rule_files', index]) ?? 1;
    const path = joinPosix(dirname(file), entry);
    if (there.has(path)) return [];
    return [
      finding(file, line, `The test reads ${entry}, which does not exist.`, 'Name it as it is seen from the test.'),
    ];
  });
}

function failures(root: string, { file, text }: TestFile, { exitCode, stdout, stderr }: Output): Finding[] {
  if (exitCode === 0) return [];
  const failure = `${stderr}\n${stdout}`.replaceAll(`${root}/`, '');
  const said = failure
    .replace(/^\s*Unit Testing:.*$/m, '')
    .replace(/\s*FAILED:\s*/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  const name = /\b(?:alertname|expr): "?([^",]+)/.exec(failure)?.[1] ?? '';
  const line = name === '' ? -1 : text.split('\n').findIndex((each) => each.includes(name));
  const remedy = 'Correct the rule, or what the test expects of it.';
  return [finding(file, line + 1 || 1, `The test fails: ${said}`, remedy)];
}

function finding(file: string, line: number, message: string, remedy: string): Finding {
  return { rule: 'prometheus-tests', file, line, message, remedy };
}

const testedRule = 'prometheus-tested';
const testedRemedy = 'Add one to the folder tests beside its rules; the others there show how.';

interface RuleTest {
  alert_rule_test: unknown;
  promql_expr_test: unknown;
}

/** What the unit tests prove: of alerts, that they fire and that they don't; of recorded metrics, that they have a value. */
interface TestedRules {
  firing: Set<string>;
  silent: Set<string>;
  recorded: Set<string>;
}

/** Each rule has unit tests. Of an alert they show when it fires, and when it keeps silent although there are data. */
export async function checkTested(repository: Repository): Promise<Finding[]> {
  const proofs = await proofsIn(repository);
  return (await ruleQueries(repository)).flatMap((located) => {
    const { record, alert } = located.rule;
    if (record !== undefined) {
      return proofs.recorded.has(record)
        ? []
        : [findingIn(located, testedRule, `no unit test expects a value of ${record}`, testedRemedy)];
    }
    if (alert === undefined) return [];
    return [
      ...(proofs.firing.has(alert)
        ? []
        : [findingIn(located, testedRule, `no unit test has ${alert} fire`, testedRemedy)]),
      ...(proofs.silent.has(alert)
        ? []
        : [findingIn(located, testedRule, `no unit test has ${alert} keep silent`, testedRemedy)]),
    ];
  });
}

async function proofsIn(repository: Repository): Promise<TestedRules> {
  const proofs: TestedRules = { firing: new Set(), silent: new Set(), recorded: new Set() };
  for (const { document } of await testFiles(repository)) {
    const { tests } = mapIn<{ tests: unknown }>(document?.value);
    for (const test of mapsIn<RuleTest>(tests)) {
      for (const { alertname, exp_alerts } of mapsIn<{ alertname: unknown; exp_alerts: unknown }>(
        test.alert_rule_test,
      )) {
        const kind = mapsIn(exp_alerts).length > 0 ? proofs.firing : proofs.silent;
        kind.add(String(alertname));
      }
      for (const { expr, exp_samples } of mapsIn<{ expr: unknown; exp_samples: unknown }>(test.promql_expr_test)) {
        if (mapsIn(exp_samples).length === 0) continue;
        for (const { name } of readQuery(String(expr)).selectors) if (name !== undefined) proofs.recorded.add(name);
      }
    }
  }
  return proofs;
}

const runbookFolder = 'docs/runbooks';
const runbookRule = 'alert-runbook';
const runbookRemedy = `Give it a summary, a description and a runbook_url like the others have, and describe it in ${runbookFolder}/ under a heading of its name.`;
/** As GitHub shows a file of this repository, or of a fork of it. */
const runbookAddress = /^https:\/\/github\.com\/[^/]+\/[^/]+\/blob\/main\/(?<page>[^#]+)#(?<anchor>.+)$/;

/** Each alert says what is wrong, what that means, and where to read on; and there is something to read there. */
export async function checkRunbooks(repository: Repository): Promise<Finding[]> {
  const alerts = (await ruleQueries(repository)).filter(({ rule }) => rule.alert !== undefined);
  const pages = await repository.files(runbookFolder);
  const anchors = new Map(
    await Promise.all(pages.map(async (page) => [page, headingsOf(await repository.text(page))] as const)),
  );
  return alerts.flatMap((located) => {
    const { summary, description, runbook_url: link } = located.rule.annotations ?? {};
    const missing = Object.entries({ summary, description, runbook_url: link }).find(([, text]) => !text);
    if (missing !== undefined) return [findingIn(located, runbookRule, `it has no ${missing[0]}`, runbookRemedy)];
    const { page = '', anchor = '' } = runbookAddress.exec(String(link))?.groups ?? {};
    const headings = anchors.get(page);
    if (headings === undefined)
      return [findingIn(located, runbookRule, `its runbook_url leads to no file of ${runbookFolder}`, runbookRemedy)];
    if (!headings.has(anchor))
      return [findingIn(located, runbookRule, `${page} has no heading for #${anchor}`, runbookRemedy)];
    return [];
  });
}

/** The anchors that GitHub makes of a page's headings: in small letters, without punctuation, a dash for each space. */
function headingsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map((match) => match[1] ?? '');
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
