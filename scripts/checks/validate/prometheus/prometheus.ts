import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Embedded } from '../../../repository/rendering/manifests.ts';
import type { Repository, ValidationCheck } from '../../../repository/rendering/repository.ts';
import { mapIn, readYaml, textsIn } from '../../../repository/yaml.ts';
import { listOf, renderedPods } from '../objects/rule.ts';
import { prometheusFiles, ruleQueries } from './located.ts';
import { complaints, findPromtool, type Promtool } from './promtool.ts';
import { checkRunbooks, checkTested, checkUnitTest, unitTests } from './rules.ts';

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
    const { configs, rules: files } = await prometheusFiles(repository);
    const [rules, tests, mounts] = await Promise.all([
      ruleQueries(repository),
      unitTests(repository),
      mountPaths(repository),
    ]);
    // The linter finds duplicate rules; by default they are not an error.
    const check = (text: string) => promtool(['check', 'rules', '--lint=all', '--lint-fatal'], text);
    const findings = await Promise.all([
      ...configs.map((config) => checkConfig(config, files, mounts, promtool)),
      ...files.map(async (file) => complaints(file, 'prometheus-rules', await check(file.text))),
      ...tests.map((test) => checkUnitTest(repository, test, promtool)),
      checkTested(rules, tests),
      checkRunbooks(repository, rules),
    ]);
    return findings.flat();
  },
};

/** @returns the folders in which pods mount the ConfigMaps, by the name of the ConfigMap. */
async function mountPaths(repository: Repository): Promise<Map<string, string>> {
  const paths = new Map<string, string>();
  for (const { spec } of renderedPods(await repository.manifests())) {
    const mounts = listOf(spec.containers).flatMap(({ volumeMounts }) => listOf(volumeMounts));
    for (const { name, configMap, projected } of listOf(spec.volumes)) {
      const path = mounts.find((mount) => mount.name === name)?.mountPath;
      for (const each of [configMap, ...listOf(projected?.sources).map((source) => source.configMap)])
        if (each?.name !== undefined && path !== undefined) paths.set(each.name, path);
    }
  }
  return paths;
}

/** Where the API server's certificate and the pod's token are in every pod that has one. */
const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * promtool looks at every file that the configuration names. So they are laid out in a folder as they are in the pod, and
 * every path of the pod leads into that; no line moves. The files of rules are empty there: what is wrong with them is said once.
 */
async function checkConfig(
  config: Embedded,
  rules: readonly Embedded[],
  mounts: ReadonlyMap<string, string>,
  promtool: Promtool,
): Promise<Finding[]> {
  const folder = await mkdtemp(join(tmpdir(), 'platform-ops-promtool-'));
  try {
    const pathOf = ({ configMap, key }: Embedded) =>
      join(folder, mounts.get(configMap.object.metadata.name) ?? 'not-mounted', key);
    const moved = [...new Set([...mounts.values(), serviceAccount])].sort((a, b) => b.length - a.length);
    const text = moved.reduce((before, path) => before.replaceAll(`${path}/`, `${folder}${path}/`), config.text);
    const secrets = ['token', 'ca.crt', 'namespace'].map((name) => join(folder, serviceAccount, name));
    const files = [
      ...secrets.map((path) => [path, ''] as const),
      ...rules.map((each) => [pathOf(each), 'groups: []\n'] as const),
      [pathOf(config), text] as const,
    ];
    for (const [path, content] of files) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
    }
    const output = await promtool(['check', 'config', '--lint=none', pathOf(config)]);
    if (output.exitCode !== 0) return complaints(config, 'prometheus-config', output, folder);
    const loaded = [...output.stdout.matchAll(/^Checking (.*)$/gm)].map((match) => match[1] ?? '');
    const unloaded = rules.filter((each) => !loaded.includes(pathOf(each)));
    const [document] = readYaml(text);
    // promtool itself says so of an entry without a `*`.
    const isLoaded = (entry: string) =>
      loaded.some((path) => dirname(path) === dirname(resolve(dirname(pathOf(config)), entry)));
    return [
      ...unloaded.map(({ file, key, line }) => ({
        rule: 'prometheus-rule-files',
        file,
        line: line(1),
        message: `${key} holds rules that ${config.key} does not load.`,
        remedy: 'Mount its ConfigMap in the pod, and name the file under rule_files.',
      })),
      ...textsIn(mapIn<{ rule_files: unknown }>(document?.value).rule_files).flatMap((entry, index): Finding[] => {
        const line = config.line(document?.line(['rule_files', index]) ?? 1);
        const message = `${config.key} loads ${entry.replace(folder, '')}, which no ConfigMap holds.`;
        const remedy = 'Add the file to a ConfigMap, or take the entry out.';
        return isLoaded(entry) ? [] : [{ rule: 'prometheus-rule-files', file: config.file, line, message, remedy }];
      }),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
