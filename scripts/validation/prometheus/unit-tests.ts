import { join } from 'node:path';
import { dirname, join as joinPosix } from 'node:path/posix';
import type { Finding } from '../finding.ts';
import type { Repository } from '../repository.ts';
import { mapIn, textsIn } from '../tolerant.ts';
import { readYaml, type YamlDocument } from '../yaml-file.ts';
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
  return (await Promise.all(tests.map((test) => checkUnitTest(repository.root, test, there, promtool)))).flat();
}

async function checkUnitTest(
  root: string,
  { file, text, document }: TestFile,
  there: ReadonlySet<string>,
  promtool: Promtool,
): Promise<Finding[]> {
  const ruleFiles = textsIn(mapIn<{ rule_files: unknown }>(document?.value).rule_files);
  const missing = ruleFiles.flatMap((entry, index) => {
    const line = document?.line(['rule_files', index]) ?? 1;
    const path = joinPosix(dirname(file), entry);
    if (there.has(path)) return [];
    return [
      finding(file, line, `The test reads ${entry}, which does not exist.`, 'Name it as it is seen from the test.'),
    ];
  });
  if (missing.length > 0) return missing;
  const { exitCode, stdout, stderr } = await promtool(join(root, folder), ['test', 'rules', join(root, file)]);
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
