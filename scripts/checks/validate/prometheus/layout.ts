import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Embedded } from '../../../repository/rendering/manifests.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';

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

interface Carried {
  name?: string;
}

interface PodSpec {
  volumes?: { name: string; configMap?: Carried; projected?: { sources?: { configMap?: Carried }[] } }[];
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
export async function relocated(text: string, folder: string, mounts: ReadonlyMap<string, string>): Promise<string> {
  for (const file of ['token', 'ca.crt', 'namespace']) await place(join(folder, serviceAccount, file), '');
  const paths = [...new Set([...mounts.values(), serviceAccount])].sort((a, b) => b.length - a.length);
  return paths.reduce((moved, path) => moved.replaceAll(`${path}/`, `${folder}${path}/`), text);
}

/** Writes a file that promtool may read, in its folders. Another user runs it where it runs in a container. */
export async function place(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  await chmod(path, 0o644);
}

/** Whether one of a configuration's `rule_files` takes a file; its `*` stands for any part of a name. */
export function loads(ruleFile: string, path: string, configFolder: string): boolean {
  const absolute = ruleFile.startsWith('/') ? ruleFile : join(configFolder, ruleFile);
  if (dirname(absolute) !== dirname(path)) return false;
  const name = basename(absolute)
    .replaceAll(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${name}$`).test(basename(path));
}
