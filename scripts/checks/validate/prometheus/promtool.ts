import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { UsageError } from '../../../lib/errors.ts';
import type { Output } from '../../../lib/exec.ts';
import type { Tools } from '../../../repository/rendering/finding.ts';
import type { Embedded } from '../../../repository/rendering/manifests.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';

/** Runs promtool on files below `folder`, and returns what it says, whatever its exit code. */
export type Promtool = (folder: string, args: readonly string[]) => Promise<Output>;

/**
 * The tool of this machine, or the one in the image that the manifests run, where Docker has or gets it. Throws the
 * toolbox's `UsageError` where it is neither.
 */
export async function findPromtool(repository: Repository, tools: Tools): Promise<Promtool> {
  const options = { nothrow: true, timeout: 60_000 };
  try {
    const { path } = await tools.find('promtool');
    return (_folder, args) => tools.exec([path, ...args], options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const image = await prometheusImage(repository);
    const docker = (...args: string[]) => tools.exec(['docker', ...args], options);
    if (image === undefined || (await docker('run', '--rm', '--entrypoint', 'promtool', image, '--version')).exitCode) {
      throw error;
    }
    // The same path inside as outside, so that what promtool says of a file is true out here.
    return (folder, args) => {
      const mount = ['--volume', `${folder}:${folder}:ro`, '--network', 'none'];
      return docker('run', '--rm', ...mount, '--entrypoint', 'promtool', image, ...args);
    };
  }
}

/** Gives `work` a folder that promtool may read and that is gone afterwards. */
export async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'platform-ops-promtool-'));
  try {
    // In a container promtool is nobody, and there is nothing in here that isn't in Git.
    await chmod(folder, 0o755);
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function prometheusImage(repository: Repository): Promise<string | undefined> {
  for (const { object } of await repository.manifests()) {
    const { spec } = object as { spec?: { template?: { spec?: { containers?: { image?: string }[] } } } };
    const image = spec?.template?.spec?.containers?.find((each) => /\/prometheus:/.test(each.image ?? ''))?.image;
    if (image !== undefined) return image;
  }
  return undefined;
}

/** One thing that promtool found. */
interface PromtoolError {
  /** Of the checked file, from 1; undefined where promtool doesn't say, and its words name nothing in the file. */
  line?: number;
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
    return twice.map((name) => ({ ...placeOf(`"${name}"`, text), message: `the rule ${name} is there twice` }));
  }
  const lines = `${stderr}\n${stdout}`
    .split('\n')
    .map((line) => line.replaceAll(`${folder}/`, '').trim())
    .filter((line) => line !== '' && !/^(Checking |SUCCESS)/.test(line))
    .map((line) => line.replace(/^(FAILED:|\[error\])\s*/, '').replace(/^parsing YAML file \S+: /, ''))
    .map((line) => line.replace(/^\S+\.ya?ml: /, '').replace(/^yaml: (?=line)/, ''))
    .filter((line) => line !== '' && !/^(yaml: )?unmarshal errors:$/.test(line));
  const found = lines.map((line) => ({ ...placeOf(line, text), message: sentence(line) }));
  return found.length > 0 ? found : [{ message: `promtool ended with exit code ${exitCode}` }];
}

function placeOf(line: string, text: string): { line?: number } {
  const [, stated] = /^line (\d+):/.exec(line) ?? /^(\d+):\d+: /.exec(line) ?? [];
  if (stated !== undefined) return { line: Number(stated) };
  // The last name in quotes is the innermost: the rule of a group, the job of a configuration.
  const names = [...line.matchAll(/"([^"]+)"/g)].map((match) => match[1] ?? '');
  const source = text.split('\n');
  for (const name of names.reverse()) {
    const index = source.findLastIndex(
      (each) => /^\s*(- )?(record|alert|name|job_name):/.test(each) && each.includes(name),
    );
    if (index >= 0) return { line: index + 1 };
  }
  return {};
}

function sentence(line: string): string {
  return line.replace(/^line \d+: |^\d+:\d+: /, '').replace(/[.:,]+$/, '');
}

/** Where the API server's address and the pod's token are in every pod that has one. */
const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The folders in which pods mount the ConfigMaps, by the name of the ConfigMap. */
export async function mountPaths(repository: Repository): Promise<Map<string, string>> {
  const paths = new Map<string, string>();
  for (const { object } of await repository.manifests()) {
    const { template } = (object.spec ?? {}) as { template?: { spec?: PodSpec } };
    for (const { name, configMap, projected } of template?.spec?.volumes ?? []) {
      const mounts = template?.spec?.containers?.flatMap(({ volumeMounts = [] }) => volumeMounts) ?? [];
      const mount = mounts.find((each) => each.name === name);
      const carried = [configMap, ...(projected?.sources ?? []).map((source) => source.configMap)];
      for (const each of carried) if (each?.name !== undefined && mount) paths.set(each.name, mount.mountPath);
    }
  }
  return paths;
}

interface MountedConfigMap {
  name?: string;
}

interface PodSpec {
  volumes?: {
    name: string;
    configMap?: MountedConfigMap;
    projected?: { sources?: { configMap?: MountedConfigMap }[] };
  }[];
  containers?: { volumeMounts?: { name: string; mountPath: string }[] }[];
}

/** The path that a carried file has in the pod, or undefined where no pod mounts it. */
export function pathInPod({ configMap, key }: Embedded, mounts: ReadonlyMap<string, string>): string | undefined {
  const path = mounts.get(configMap.object.metadata.name);
  return path === undefined ? undefined : `${path}/${key}`;
}

/**
 * A configuration as promtool can check it in `folder`: every path of the pod leads into the folder, and the token
 * that it may name is there. No line moves.
 */
export async function relocatedConfig(
  text: string,
  folder: string,
  mounts: ReadonlyMap<string, string>,
): Promise<string> {
  for (const file of ['token', 'ca.crt', 'namespace']) await writeReadable(join(folder, serviceAccount, file), '');
  const paths = [...new Set([...mounts.values(), serviceAccount])].sort((a, b) => b.length - a.length);
  return paths.reduce((moved, path) => moved.replaceAll(`${path}/`, `${folder}${path}/`), text);
}

/** Writes a file that promtool may read, in its folders. Another user runs it where it runs in a container. */
export async function writeReadable(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  await chmod(path, 0o644);
}

/** Whether one of a configuration's `rule_files` takes a file; its `*` stands for any part of a name. */
export function matchesRuleFile(ruleFile: string, path: string, configFolder: string): boolean {
  const absolute = ruleFile.startsWith('/') ? ruleFile : join(configFolder, ruleFile);
  if (dirname(absolute) !== dirname(path)) return false;
  const name = basename(absolute)
    .replaceAll(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${name}$`).test(basename(path));
}
