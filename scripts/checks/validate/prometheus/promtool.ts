import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Output } from '../../../lib/exec.ts';
import type { Tools } from '../../../repository/rendering/finding.ts';
import type { Embedded } from '../../../repository/rendering/manifests.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { listOf, renderedPods } from '../objects/rule.ts';

/** Runs promtool, and returns what it says, whatever its exit code. */
export type Promtool = (...args: readonly string[]) => Promise<Output>;

/** @throws the toolbox's `UsageError` where promtool can't be had. */
export async function findPromtool(tools: Tools): Promise<Promtool> {
  const { path } = await tools.find('promtool');
  return (...args) => tools.exec([path, ...args], { nothrow: true, timeout: 60_000 });
}

/** Gives `work` a folder that is gone afterwards. */
export async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'platform-ops-promtool-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Writes a file, with its folders. */
export async function writeInto(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

/** One thing that promtool found. */
interface PromtoolError {
  /** Of the checked file, from 1; undefined where promtool doesn't say, and its words name nothing in the file. */
  line?: number | undefined;
  message: string;
}

/**
 * What promtool complains of in one file, told from its output; `folder` is where the file lay, `text` what is in it.
 * Empty where it is content. Its forms: `line 3: field x not found`, `file.yml: 7:15: group "g", rule 2, "r": ...`, and
 * sentences without a place.
 */
export function promtoolErrors({ exitCode, stdout, stderr }: Output, folder: string, text: string): PromtoolError[] {
  if (exitCode === 0) return [];
  const twice = [...stderr.matchAll(/^Metric: (.*)$/gm)].map((match) => match[1] ?? '');
  if (/lint error.*duplicate rule/.test(stderr) && twice.length > 0) {
    return twice.map((name) => ({ line: lineOf(`"${name}"`, text), message: `the rule ${name} is there twice` }));
  }
  const lines = `${stderr}\n${stdout}`
    .split('\n')
    .map((line) => line.replaceAll(`${folder}/`, '').trim())
    .filter((line) => line !== '' && !/^(Checking |SUCCESS)/.test(line))
    .map((line) => line.replace(/^(FAILED:|\[error\])\s*/, '').replace(/^parsing YAML file \S+: /, ''))
    .map((line) => line.replace(/^\S+\.ya?ml: /, '').replace(/^yaml: (?=line)/, ''))
    .filter((line) => line !== '' && !/^(yaml: )?unmarshal errors:$/.test(line));
  const found = lines.map((line) => ({
    line: lineOf(line, text),
    message: line.replace(/^line \d+: |^\d+:\d+: /, '').replace(/[.:,]+$/, ''),
  }));
  return found.length > 0 ? found : [{ message: `promtool ended with exit code ${exitCode}` }];
}

function lineOf(complaint: string, text: string): number | undefined {
  const [, stated] = /^line (\d+):/.exec(complaint) ?? /^(\d+):\d+: /.exec(complaint) ?? [];
  if (stated !== undefined) return Number(stated);
  // The last name in quotes is the innermost: the rule of a group, the job of a configuration.
  const names = [...complaint.matchAll(/"([^"]+)"/g)].map((match) => match[1] ?? '');
  const source = text.split('\n');
  for (const name of names.reverse()) {
    const index = source.findLastIndex(
      (each) => /^\s*(- )?(record|alert|name|job_name):/.test(each) && each.includes(name),
    );
    if (index >= 0) return index + 1;
  }
  return undefined;
}

/** @returns the folders in which pods mount the ConfigMaps, by the name of the ConfigMap. */
export async function mountPaths(repository: Repository): Promise<Map<string, string>> {
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

/** @returns the path that a carried file has in the pod, or undefined where no pod mounts it. */
export function pathInPod({ configMap, key }: Embedded, mounts: ReadonlyMap<string, string>): string | undefined {
  const path = mounts.get(configMap.object.metadata.name);
  return path === undefined ? undefined : `${path}/${key}`;
}

/** Where the API server's certificate and the pod's token are in every pod that has one. */
const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * A configuration as promtool can check it in `folder`: every path of the pod leads into the folder, and the token
 * that it may name is there. No line moves.
 */
export async function relocatedConfig(text: string, folder: string, mounts: Iterable<string>): Promise<string> {
  for (const file of ['token', 'ca.crt', 'namespace']) await writeInto(join(folder, serviceAccount, file), '');
  const paths = [...new Set([...mounts, serviceAccount])].sort((a, b) => b.length - a.length);
  return paths.reduce((moved, path) => moved.replaceAll(`${path}/`, `${folder}${path}/`), text);
}
