import { dirname, join, resolve } from 'node:path';
import type { Output } from '../../../lib/exec.ts';
import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Embedded } from '../../../repository/rendering/manifests.ts';
import type { ValidationCheck } from '../../../repository/rendering/repository.ts';
import { mapIn, readYaml, textsIn } from '../../../repository/yaml.ts';
import { prometheusFiles } from './located.ts';
import {
  findPromtool,
  inTemporaryFolder,
  mountPaths,
  type Promtool,
  pathInPod,
  promtoolErrors,
  relocatedConfig,
  writeInto,
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
    const promtool = await findPromtool(tools);
    const { configs, rules } = await prometheusFiles(repository);
    const mounts = await mountPaths(repository);
    const findings = await Promise.all([
      ...configs.map((config) => checkConfig(config, rules, mounts, promtool)),
      checkRules(rules, promtool),
      checkUnitTests(repository, promtool),
      checkTested(repository),
      checkRunbooks(repository),
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
    const pathOf = (each: Embedded) => join(folder, pathInPod(each, mounts) ?? join('not-mounted', each.key));
    for (const each of rules) await writeInto(pathOf(each), 'groups: []\n');
    const text = await relocatedConfig(config.text, folder, mounts.values());
    await writeInto(pathOf(config), text);
    const output = await promtool('check', 'config', '--lint=none', pathOf(config));
    if (output.exitCode !== 0) return complaints(config, 'prometheus-config', output, folder);

    const loaded = [...output.stdout.matchAll(/^Checking (.*)$/gm)].map((match) => match[1] ?? '');
    const [document] = readYaml(text);
    const entries = textsIn(mapIn<{ rule_files: unknown }>(document?.value).rule_files);
    return [
      ...rules
        .filter((each) => !loaded.includes(pathOf(each)))
        .map((each) => ({
          rule: 'prometheus-rule-files',
          file: each.file,
          line: each.line(1),
          message: `${each.key} holds rules that ${config.key} does not load.`,
          remedy: 'Mount its ConfigMap in the pod, and name the file under rule_files.',
        })),
      ...entries.flatMap((entry, index): Finding[] => {
        // promtool itself says so of an entry without a `*`.
        if (loaded.some((path) => dirname(path) === dirname(resolve(dirname(pathOf(config)), entry)))) return [];
        const line = config.line(document?.line(['rule_files', index]) ?? 1);
        const message = `${config.key} loads ${entry.replace(folder, '')}, which no ConfigMap holds.`;
        const remedy = 'Add the file to a ConfigMap, or take the entry out.';
        return [{ rule: 'prometheus-rule-files', file: config.file, line, message, remedy }];
      }),
    ];
  });
}

/** All at once, since each start of promtool costs as much as a file. Only where it complains, it is asked which one it is. */
function checkRules(all: readonly Embedded[], promtool: Promtool): Promise<Finding[]> {
  return inTemporaryFolder(async (folder) => {
    const paths = all.map(({ key }, index) => join(folder, String(index), key));
    await Promise.all(all.map(({ text }, index) => writeInto(paths[index] ?? '', text)));
    // The linter finds duplicate rules; by default they are not an error.
    const check = (files: readonly string[]) => promtool('check', 'rules', '--lint=all', '--lint-fatal', ...files);
    if (all.length === 0 || (await check(paths)).exitCode === 0) return [];
    const found = all.map(async (rules, index) =>
      complaints(rules, 'prometheus-rules', await check([paths[index] ?? '']), join(folder, String(index))),
    );
    return (await Promise.all(found)).flat();
  });
}

function complaints({ file, key, text, line }: Embedded, rule: string, output: Output, folder: string): Finding[] {
  return promtoolErrors(output, folder, text).map((complaint) => ({
    rule,
    file,
    line: line(complaint.line ?? 1),
    message: `${key}: ${complaint.message}.`,
    remedy: 'Correct it: prometheus.io/docs/prometheus/latest/configuration says what can stand there.',
  }));
}
