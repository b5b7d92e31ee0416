import { release } from 'node:os';
import { UserError } from '../../lib/errors.ts';
import { keychainStore } from './keychain.ts';
import { nssStores } from './nss.ts';
import type { Reach, TrustStore } from './store.ts';
import { windowsStore } from './windows.ts';

/** What became of one store. */
export interface Done {
  store: string;
  result: 'trusted' | 'trusted before' | 'removed' | 'nothing to remove' | 'failed';
  /** Why it failed. */
  reason?: string;
}

/** The stores of this system that need no root. */
export function storesOf(reach: Reach, platform: string = process.platform, kernel: string = release()): TrustStore[] {
  if (platform === 'darwin') return [keychainStore(reach)];
  return [...nssStores(reach), ...(/microsoft/i.test(kernel) ? [windowsStore(reach)] : [])];
}

/** Has every store trust the authority. One that can't be changed is told of, and does not keep the others from it. */
export function install(stores: readonly TrustStore[], authority: { name: string; file: string }): Promise<Done[]> {
  return each(stores, async (store) => {
    const known = await store.list();
    if (known.some(({ name, trusted }) => name === authority.name && trusted)) return 'trusted before';
    await store.add(authority);
    return 'trusted';
  });
}

/** Takes every authority of ours out of the stores, also one that was replaced since. */
export function remove(stores: readonly TrustStore[]): Promise<Done[]> {
  return each(stores, async (store) => {
    const known = await store.list();
    for (const { name } of known) await store.remove(name);
    return known.length > 0 ? 'removed' : 'nothing to remove';
  });
}

async function each(
  stores: readonly TrustStore[],
  work: (store: TrustStore) => Promise<Done['result']>,
): Promise<Done[]> {
  const done: Done[] = [];
  // One after the other: some ask the person for something.
  for (const store of stores) {
    try {
      done.push({ store: store.title, result: await work(store) });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      done.push({ store: store.title, result: 'failed', reason: error.message });
    }
  }
  return done;
}
