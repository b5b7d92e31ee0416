import { join } from 'node:path';
import { dirname, join as joinPosix } from 'node:path/posix';
import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { mapIn, mapsIn, readYaml, textsIn, type YamlDocument } from '../../../repository/yaml.ts';
import { findingIn, ruleQueries } from './located.ts';
import { readQuery } from './promql.ts';
import type { Promtool } from './promtool.ts';

/** A file of unit tests for rules, as promtool reads it. */
interface TestFile {
  file: string;
  text: string;
  document: YamlDocument | undefined;
}

/** The unit tests of rules: the YAML files of each folder `tests` below observability/. */
async function testFiles(repository: Repository): Promise<TestFile[]> {
  const files = (await repository.files('observability')).filter((file) => /\/tests\/[^/]+\.ya?ml$/.test(file));
  return Promise.all(
    files.map(async (file) => {
      const text = await repository.text(file);
      return { file, text, document: readYaml(text)[0] };
    }),
  );
}

/** Runs the unit tests, on the rules as they lie beside them. */
export async function checkUnitTests(repository: Repository, promtool: Promtool): Promise<Finding[]> {
  const there = new Set(await repository.files('observability'));
  const tests = await testFiles(repository);
  const missing = tests.flatMap(({ file, document }) =>
    textsIn(mapIn<{ rule_files: unknown }>(document?.value).rule_files).flatMap((entry, index) =>
      there.has(joinPosix(dirname(file), entry))
        ? []
        : [
            testFinding(
              file,
              document?.line(['rule_files', index]) ?? 1,
              `The test reads ${entry}, which does not exist.`,
              'Name it as it is seen from the test.',
            ),
          ],
    ),
  );
  const run = (all: readonly TestFile[]) =>
    promtool('test', 'rules', ...all.map(({ file }) => join(repository.root, file)));
  const whole = tests.filter(({ file }) => !missing.some((one) => one.file === file));
  if (whole.length === 0 || (await run(whole)).exitCode === 0) return missing;
  // Only now it is worth the time to find out which file fails.
  const failed = whole.map(async (test) => {
    const { exitCode, stdout, stderr } = await run([test]);
    return exitCode === 0 ? [] : [failure(test, `${stderr}\n${stdout}`.replaceAll(`${repository.root}/`, ''))];
  });
  return [...missing, ...(await Promise.all(failed)).flat()];
}

function failure({ file, text }: TestFile, output: string): Finding {
  const said = output
    .replace(/^\s*Unit Testing:.*$/m, '')
    .replace(/\s*FAILED:\s*/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  const name = /\b(?:alertname|expr): "?([^",]+)/.exec(output)?.[1];
  const line = name === undefined ? 0 : text.split('\n').findIndex((each) => each.includes(name));
  return testFinding(
    file,
    line + 1 || 1,
    `The test fails: ${said}`,
    'Correct the rule, or what the test expects of it.',
  );
}

function testFinding(file: string, line: number, message: string, remedy: string): Finding {
  return { rule: 'prometheus-tests', file, line, message, remedy };
}

/** Each rule has unit tests. Of an alert they show when it fires, and when it keeps silent although there are data. */
export async function checkTested(repository: Repository): Promise<Finding[]> {
  const proofs = await proofsIn(repository);
  const remedy = 'Add one to the folder tests beside its rules; the others there show how.';
  return (await ruleQueries(repository)).flatMap((located) => {
    const { record, alert } = located.rule;
    const wanted =
      record !== undefined
        ? [`expects a value of ${record}`]
        : alert !== undefined
          ? [`has ${alert} fire`, `has ${alert} keep silent`]
          : [];
    return wanted
      .filter((proof) => !proofs.has(proof))
      .map((proof) => findingIn(located, 'prometheus-tested', `no unit test ${proof}`, remedy));
  });
}

/** What the unit tests prove: of alerts, that they fire and that they don't; of recorded metrics, that they have a value. */
async function proofsIn(repository: Repository): Promise<Set<string>> {
  const proofs = new Set<string>();
  for (const { document } of await testFiles(repository)) {
    const { tests } = mapIn<{ tests: unknown }>(document?.value);
    for (const test of mapsIn<{ alert_rule_test: unknown; promql_expr_test: unknown }>(tests)) {
      for (const { alertname, exp_alerts } of mapsIn<Record<string, unknown>>(test.alert_rule_test))
        proofs.add(`has ${alertname} ${mapsIn(exp_alerts).length > 0 ? 'fire' : 'keep silent'}`);
      for (const { expr, exp_samples } of mapsIn<Record<string, unknown>>(test.promql_expr_test)) {
        if (mapsIn(exp_samples).length === 0) continue;
        for (const { name } of readQuery(String(expr)).selectors) proofs.add(`expects a value of ${name}`);
      }
    }
  }
  return proofs;
}

/** As GitHub shows a file of this repository, or of a fork of it. */
const runbookAddress = /^https:\/\/github\.com\/[^/]+\/[^/]+\/blob\/main\/(?<page>[^#]+)#(?<anchor>.+)$/;

/** Each alert says what is wrong, what that means, and where to read on; and there is something to read there. */
export async function checkRunbooks(repository: Repository): Promise<Finding[]> {
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
    return headings.has(anchor) ? undefined : `${page} has no heading for #${anchor}`;
  };
  return (await ruleQueries(repository)).flatMap((located) => {
    const { alert, annotations = {} } = located.rule;
    const message = alert === undefined ? undefined : fault({ ...annotations });
    const remedy =
      'Give it a summary, a description and a runbook_url like the others have, and describe it in docs/runbooks/ under a heading of its name.';
    return message === undefined ? [] : [findingIn(located, 'alert-runbook', message, remedy)];
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
