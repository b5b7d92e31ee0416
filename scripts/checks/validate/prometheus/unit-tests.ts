import { join } from 'node:path';
import { dirname, join as joinPosix } from 'node:path/posix';
import type { Output } from '../../../lib/exec.ts';
import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { mapIn, readYaml, textsIn, type YamlDocument } from '../../../repository/yaml.ts';
import type { Promtool } from './promtool.ts';

const folder = 'observability';

/** A file of unit tests for rules, as promtool reads it. */
export interface TestFile {
  file: string;
  text: string;
  document: YamlDocument | undefined;
}

/** The unit tests of rules: the YAML files of each folder `tests` below observability/. */
export async function testFiles(repository: Repository): Promise<TestFile[]> {
  const files = (await repository.files(folder)).filter((file) => /\/tests\/[^/]+\.ya?ml$/.test(file));
  return Promise.all(
    files.map(async (file) => {
      const text = await repository.text(file);
      return { file, text, document: readYaml(text)[0] };
    }),
  );
}

/** Runs the unit tests, on the rules as they lie beside them. */
export async function checkUnitTests(repository: Repository, promtool: Promtool): Promise<Finding[]> {
  const there = new Set(await repository.files(folder));
  const tests = await testFiles(repository);
  const missing = tests.flatMap((test) => rulesNotThere(test, there));
  const run = (files: readonly string[]) =>
    promtool(join(repository.root, folder), ['test', 'rules'].concat(files.map((file) => join(repository.root, file))));
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
