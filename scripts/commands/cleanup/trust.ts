import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { storesOf } from '../../access/trust/apply.ts';
import type { TrustStore } from '../../access/trust/store.ts';
import type { Context } from '../../images/context.ts';
import { UserError } from '../../lib/errors.ts';
import type { Item } from './item.ts';

/** Where `npm run trust` tells to copy the certificate to, which takes root rights. */
const systemFiles = [
  ['/usr/local/share/ca-certificates/platform-ops.crt', 'update-ca-certificates --fresh'],
  ['/etc/pki/ca-trust/source/anchors/platform-ops.crt', 'update-ca-trust'],
] as const;

/** Authorities of ours that browsers of this user trust: what their key could sign must not be trusted without need. */
export async function trustItems({ exec, config }: Context, stores?: readonly TrustStore[]): Promise<Found> {
  const home = config.childEnv.HOME || homedir();
  const reach = { exec, home, configHome: config.childEnv.XDG_CONFIG_HOME || join(home, '.config') };
  const items: Item[] = [];
  const notes: string[] = systemFiles
    .filter(([file]) => existsSync(file))
    .map(([file, command]) => `The system trusts ${file}: sudo rm ${file} && sudo ${command}`);
  for (const store of stores ?? storesOf(reach)) {
    try {
      for (const { name } of await store.list()) items.push(item(store, name));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      notes.push(`Not looked into ${store.title}: ${error.message}.`);
    }
  }
  return { items, notes };
}

interface Found {
  items: Item[];
  notes: string[];
}

function item(store: TrustStore, name: string): Item {
  return {
    kind: 'trust',
    name: `${name} (${store.title})`,
    remove: () => store.remove(name),
    isThere: async () => (await store.list()).some((one) => one.name === name),
  };
}
