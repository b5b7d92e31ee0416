import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { relative } from 'node:path';
import { authorityFolder } from '../../components/tls.ts';
import type { Config } from '../../config/config.ts';
import { messageOf, UserError } from '../../lib/errors.ts';
import type { Item } from './item.ts';

/** What belongs to this cluster alone: its private kubeconfig and what kubectl keeps beside it. */
export function stateItems({ stateDir, root }: Config): Item[] {
  return existsSync(stateDir) ? [folder(stateDir, `private kubeconfig (${relative(root, stateDir)})`)] : [];
}

/** What all clusters of this user share: downloads and tools. */
export async function cacheItems({ cacheDir }: Config): Promise<Item[]> {
  const entries = await readdir(cacheDir).catch(() => undefined);
  if (entries === undefined) return [];
  const what = entries.length === 0 ? 'empty cache' : `cache of ${entries.sort().join(', ')}`;
  return [folder(cacheDir, `${what} (${tilde(cacheDir)})`)];
}

/** The certificate authority of this user, with its key. */
export function authorityItems(config: Config): Item[] {
  const path = authorityFolder(config);
  return existsSync(config.dataDir) ? [folder(config.dataDir, `local certificate authority (${tilde(path)})`)] : [];
}

function folder(path: string, name: string): Item {
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
