import { join } from 'node:path';
import type { Finding, ValidationCheck } from '../../../repository/rendering/finding.ts';
import type { Embedded } from '../../../repository/rendering/manifests.ts';
import { mapIn, readYaml, textsIn } from '../../../repository/yaml.ts';
import { prometheusFiles } from './files.ts';
import {
  findPromtool,
  inTemporaryFolder,
  matchesRuleFile,
  mountPaths,
  type Promtool,
  pathInPod,
  promtoolErrors,
  relocatedConfig,
  writeReadable,
} from './promtool.ts';
import { checkRunbooks, checkTested, checkUnitTests } from './rules.ts';

/** What promtool, which is Prometheus' own, says of the configuration and the rules in the ConfigMaps. */
export const validatePrometheus: ValidationCheck = {
  name: 'prometheus',
  title: 'promtool accepts configuration and rules',
  rules: {
    'prometheus-config': 'promtool check config accepts the configuration of Prometheus.',
    'prometheus-rules': 'promtool check rules accepts every file of rules.',
    'prometheus-rule-files': 'The configuration loads every file of rules, and each of its rule_files exists.',
    'prometheus-tests': 'promtool test rules passes for every unit test of the rules.',
    'prometheus-tested':
      'Unit tests prove of each alert that it fires and that it keeps silent, and of each other rule its value.',
    'alert-runbook': 'Every alert has a summary, a description, and a link to a heading of docs/runbooks/ that exists.',
  },
  async run(repository, tools) {
    const promtool = await findPromtool(repository, tools);
    const files = await prometheusFiles(repository);
    const mounts = await mountPaths(repository);
    const findings = await Promise.all([
      ...files.configs.map((config) => checkConfig(config, files.rules, mounts, promtool)),
      checkRules(files.rules, promtool),
      checkUnitTests(repository, promtool),
      checkTested(repository),
      checkRunbooks(repository),
      ...files.configs.map((config) => checkRuleFiles(config, files.rules, mounts)),
    ]);
    return findings.flat();
  },
};

/** The files of rules are empty here: what is wrong with them is said once, by `checkRules`. */
function checkConfig(
  config: Embedded,
  rules: readonly Embedded[],
  mounts: ReadonlyMap<string, string>,
  promtool: Promtool,
): Promise<Finding[]> {
  return inTemporaryFolder(async (folder) => {
    for (const each of rules) {
      const path = pathInPod(each, mounts);
      if (path !== undefined) await writeReadable(join(folder, path), 'groups: []\n');
    }
    const path = join(folder, pathInPod(config, mounts) ?? config.key);
    await writeReadable(path, await relocatedConfig(config.text, folder, mounts));
    const output = await promtool(folder, ['check', 'config', '--lint=none', path]);
    return findings(config, 'prometheus-config', output, folder);
  });
}

/** All at once, since each start of promtool costs as much as a file. Only where it complains, it is asked which one it is. */
function checkRules(all: readonly Embedded[], promtool: Promtool): Promise<Finding[]> {
  return inTemporaryFolder(async (folder) => {
    const paths = all.map(({ key }, index) => join(folder, String(index), key));
    await Promise.all(all.map(({ text }, index) => writeReadable(paths[index] ?? '', text)));
    // The linter knows of rules that are there twice; by default that is no error.
    const check = (files: readonly string[]) =>
      promtool(folder, ['check', 'rules', '--lint=all', '--lint-fatal', ...files]);
    if (all.length === 0 || (await check(paths)).exitCode === 0) return [];
    const found = await Promise.all(
      all.map(async (rules, index) =>
        findings(rules, 'prometheus-rules', await check([paths[index] ?? '']), join(folder, String(index))),
      ),
    );
    return found.flat();
  });
}

function findings(
  { file, key, text, line }: Embedded,
  rule: string,
  output: Parameters<typeof promtoolErrors>[0],
  folder: string,
): Finding[] {
  return promtoolErrors(output, folder, text).map((complaint) => {
    const at = line(complaint.line ?? 1);
    return {
      rule,
      file,
      ...(at !== undefined && { line: at }),
      message: `${key}: ${complaint.message}.`,
      remedy: 'Correct it: prometheus.io/docs/prometheus/latest/configuration says what can stand there.',
    };
  });
}

async function checkRuleFiles(
  config: Embedded,
  rules: readonly Embedded[],
  mounts: ReadonlyMap<string, string>,
): Promise<Finding[]> {
  const [document] = readYaml(config.text);
  const entries = textsIn(mapIn<{ rule_files: unknown }>(document?.value).rule_files);
  const folder = mounts.get(config.configMap.object.metadata.name) ?? '/';
  const isLoaded = (each: Embedded) => {
    const path = pathInPod(each, mounts);
    return path !== undefined && entries.some((entry) => matchesRuleFile(entry, path, folder));
  };
  const finding = (file: string, line: number | undefined, message: string, remedy: string): Finding => ({
    rule: 'prometheus-rule-files',
    file,
    ...(line !== undefined && { line }),
    message,
    remedy,
  });
  const unused = rules
    .filter((each) => !isLoaded(each))
    .map((each) =>
      finding(
        each.file,
        each.line(1),
        `${each.key} holds rules that ${config.key} does not load.`,
        'Mount its ConfigMap in the pod, and name the file under rule_files.',
      ),
    );
  const empty = entries.flatMap((entry, index) => {
    const isMatched = rules.some((each) => matchesRuleFile(entry, pathInPod(each, mounts) ?? '', folder));
    const line = config.line(document?.line(['rule_files', index]) ?? 1);
    const message = `${config.key} loads ${entry}, which no ConfigMap holds.`;
    return isMatched
      ? []
      : [finding(config.file, line, message, 'Add the file to a ConfigMap, or take the entry out.')];
  });
  return [...unused, ...empty];
}
