import { basename, join } from 'node:path';
import type { Embedded } from '../embedded.ts';
import type { Finding } from '../finding.ts';
import type { Repository } from '../repository.ts';
import { mapIn, textsIn } from '../tolerant.ts';
import { readYaml } from '../yaml-file.ts';
import { place } from './layout.ts';
import { inTemporaryFolder, type Promtool } from './promtool.ts';

const folder = 'observability/prometheus/tests';

/**
 * Runs the unit tests of Prometheus' rules, which lie in that folder. Their `rule_files` name keys of the ConfigMaps:
 * the rules lie beside the test when it runs.
 */
export async function checkUnitTests(
  repository: Repository,
  rules: readonly Embedded[],
  promtool: Promtool,
): Promise<Finding[]> {
  const files = (await repository.files(folder)).filter((file) => /\.ya?ml$/.test(file));
  const findings = await Promise.all(files.map((file) => checkUnitTest(repository, file, rules, promtool)));
  return findings.flat();
}

async function checkUnitTest(
  repository: Repository,
  file: string,
  rules: readonly Embedded[],
  promtool: Promtool,
): Promise<Finding[]> {
  const text = await repository.text(file);
  const [document] = readYaml(text);
  const ruleFiles = textsIn(mapIn<{ rule_files: unknown }>(document?.value).rule_files);
  const keys = new Set(rules.map(({ key }) => key));
  const remedy =
    keys.size === 0 ? 'Put the rules into a ConfigMap of Prometheus.' : `Name one of ${[...keys].join(', ')}.`;
  const missing = ruleFiles.flatMap((entry, index) => {
    const message = `The test reads ${entry}, which no ConfigMap of Prometheus holds.`;
    const line = document?.line(['rule_files', index]) ?? 1;
    return keys.has(entry) ? [] : [finding(file, line, message, remedy)];
  });
  if (missing.length > 0) return missing;
  return inTemporaryFolder(async (temporary) => {
    for (const { key, text: content } of rules) await place(join(temporary, 'rules', key), content);
    const path = join(temporary, 'rules', `test of ${basename(file)}`);
    await place(path, text);
    const { exitCode, stdout, stderr } = await promtool(temporary, ['test', 'rules', path]);
    if (exitCode === 0) return [];
    const failure = `${stderr}\n${stdout}`.replaceAll(`${join(temporary, 'rules')}/`, '');
    const said = failure
      .replace(/^\s*Unit Testing:.*$/m, '')
      .replace(/\s*FAILED:\s*/g, ' ')
      .replace(/\s+/g, ' ')
      .trim();
    const name = /\b(?:alertname|expr): "?([^",]+)/.exec(failure)?.[1] ?? '';
    const line = name === '' ? -1 : text.split('\n').findIndex((each) => each.includes(name));
    return [
      finding(file, line + 1 || 1, `The test fails: ${said}`, 'Correct the rule, or what the test expects of it.'),
    ];
  });
}

function finding(file: string, line: number, message: string, remedy: string): Finding {
  return { rule: 'prometheus-tests', file, line, message, remedy };
}
