import { existsSync, readFileSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, relative } from 'node:path';
import { mergedInto, unmergeKubeconfig, withoutCluster } from '../../access/kubeconfig/merge.ts';
import { storesOf } from '../../access/trust.ts';
import type { TrustStore } from '../../access/trust-stores.ts';
import type { Config } from '../../config/config.ts';
import { authorityFolder } from '../../config/config.ts';
import type { Context } from '../../images/context.ts';
import { messageOf, UserError } from '../../lib/errors.ts';
import type { CleanupItem } from './items.ts';

/** What belongs to this cluster alone: its private kubeconfig and what kubectl keeps beside it. */
export function stateItems({ stateDir, root }: Config): CleanupItem[] {
  return existsSync(stateDir) ? [folderItem(stateDir, `private kubeconfig (${relative(root, stateDir)})`)] : [];
}

/** What all clusters of this user share: downloads and tools. */
export async function cacheItems({ cacheDir }: Config): Promise<CleanupItem[]> {
  const entries = await readdir(cacheDir).catch(() => undefined);
  if (entries === undefined) return [];
  const what = entries.length === 0 ? 'empty cache' : `cache of ${entries.sort().join(', ')}`;
  return [folderItem(cacheDir, `${what} (${tilde(cacheDir)})`)];
}

/** The certificate authority of this user, with its key. */
export function authorityItems(config: Config): CleanupItem[] {
  const path = authorityFolder(config);
  return existsSync(config.dataDir) ? [folderItem(config.dataDir, `local certificate authority (${tilde(path)})`)] : [];
}

function folderItem(path: string, name: string): CleanupItem {
  return {
    kind: 'file',
    name,
    async remove() {
      try {
        await rm(path, { recursive: true, force: true, maxRetries: 3 });
      } catch (error) {
        throw new UserError(messageOf(error), { hint: `rm -r "${path}"`, cause: error });
      }
    },
    isThere: async () => existsSync(path),
  };
}

function tilde(path: string): string {
  const home = homedir();
  return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}

/** The cluster's context in the person's own kubeconfig, where `npm run kubeconfig -- --merge` put it. */
export function mergedContextItems(context: Context): CleanupItem[] {
  const { config, kubeContext, kubeconfig } = context;
  const file = mergedInto(config);
  if (file === undefined) return [];
  const isThere = async () =>
    existsSync(file) && withoutCluster(readFileSync(file, 'utf8'), kubeContext, kubeconfig) !== undefined;
  const remove = async () => void (await unmergeKubeconfig(context));
  return [{ kind: 'file', name: `context ${kubeContext} in ${file}`, remove, isThere }];
}

/** Where `npm run trust` tells to copy the certificate to, which takes root rights. */
const systemFiles = [
  ['/usr/local/share/ca-certificates/platform-ops.crt', 'update-ca-certificates --fresh'],
  ['/etc/pki/ca-trust/source/anchors/platform-ops.crt', 'update-ca-trust'],
] as const;

/** Authorities of ours that browsers of this user trust: what their key could sign must not be trusted without need. */
export async function trustItems({ exec, config }: Context, stores?: readonly TrustStore[]): Promise<TrustItems> {
  const home = config.childEnv.tool.HOME || homedir();
  const reach = { exec, home, configHome: config.childEnv.tool.XDG_CONFIG_HOME || join(home, '.config') };
  const items: CleanupItem[] = [];
  const notes: string[] = systemFiles
    .filter(([file]) => existsSync(file))
    .map(([file, command]) => `The system trusts ${file}: sudo rm ${file} && sudo ${command}`);
  for (const store of stores ?? storesOf(reach)) {
    try {
      for (const { name } of await store.list()) items.push(storeItem(store, name));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      notes.push(`Not looked into ${store.title}: ${error.message}.`);
    }
  }
  return { items, notes };
}

interface TrustItems {
  items: CleanupItem[];
  notes: string[];
}

function storeItem(store: TrustStore, name: string): CleanupItem {
  return {
    kind: 'trust',
    name: `${name} (${store.title})`,
    remove: () => store.remove(name),
    isThere: async () => (await store.list()).some((one) => one.name === name),
  };
}
