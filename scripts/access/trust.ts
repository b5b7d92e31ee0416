import { existsSync } from 'node:fs';
import { authorityFolder, type Config } from '../config/config.ts';
import { type CleanupItem, type CleanupItems, folderItems } from '../lib/cleanup.ts';
import { UserError } from '../lib/errors.ts';
import { homePath } from '../lib/files.ts';
import { shellWord } from '../lib/text.ts';
import type { TrustStore } from './trust-stores.ts';

/** What became of one store. */
export interface StoreResult {
  store: string;
  result: 'trusted' | 'trusted before' | 'removed' | 'nothing to remove' | 'failed';
  /** Why it failed. */
  reason?: string;
}

/** Has every store trust the authority. One that can't be changed is told of, and does not keep the others from it. */
export function installAuthority(
  stores: readonly TrustStore[],
  authority: { name: string; file: string },
): Promise<StoreResult[]> {
  return changeStores(stores, async (store) => {
    const known = await store.list();
    if (known.some(({ name, trusted }) => name === authority.name && trusted)) return 'trusted before';
    await store.add(authority);
    return 'trusted';
  });
}

/** Takes every authority of ours out of the stores, also one that was replaced since. */
export function removeAuthority(stores: readonly TrustStore[]): Promise<StoreResult[]> {
  return changeStores(stores, async (store) => {
    const known = await store.list();
    for (const { name } of known) await store.remove(name);
    return known.length > 0 ? 'removed' : 'nothing to remove';
  });
}

async function changeStores(
  stores: readonly TrustStore[],
  work: (store: TrustStore) => Promise<StoreResult['result']>,
): Promise<StoreResult[]> {
  const done: StoreResult[] = [];
  // One after the other: some ask for a password.
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

/** The certificate authority of this user, with its key. */
export function authorityItems(config: Config): CleanupItem[] {
  return folderItems(config.dataDir, `local certificate authority (${homePath(authorityFolder(config))})`);
}

/** Where `npm run trust` tells to copy the certificate to, which takes root rights. */
const systemFiles = [
  ['/usr/local/share/ca-certificates/platform-ops.crt', 'update-ca-certificates --fresh'],
  ['/etc/pki/ca-trust/source/anchors/platform-ops.crt', 'update-ca-trust'],
] as const;

/** Authorities of ours that browsers of this user trust: what their key could sign must not be trusted without need. */
export async function trustItems(stores: readonly TrustStore[]): Promise<CleanupItems> {
  const items: CleanupItem[] = [];
  const notes: string[] = systemFiles
    .filter(([file]) => existsSync(file))
    .map(([file, command]) => `The system trusts ${file}: sudo rm ${file} && sudo ${command}`);
  for (const store of stores) {
    try {
      for (const { name } of await store.list()) items.push(storeItem(store, name));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      notes.push(`Not looked into ${store.title}: ${error.message}.`);
    }
  }
  return { items, notes };
}

function storeItem(store: TrustStore, name: string): CleanupItem {
  return {
    kind: 'trust',
    name: `${name} (${store.title})`,
    remove: () => store.remove(name),
    isThere: async () => (await store.list()).some((one) => one.name === name),
  };
}

/** How a system or a program comes to trust the authority, and by which command. */
interface TrustCommand {
  system: string;
  command: string;
  note?: string;
}

/** Every way, for an authority of this name in this file; example is an address that it then vouches for. */
export function trustCommands(name: string, path: string, example: string): TrustCommand[] {
  const file = shellWord(path);
  return [
    {
      system: 'macOS',
      command: `security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db ${file}`,
      note: 'For Safari, Chrome and Firefox; without root.',
    },
    {
      system: 'Debian, Ubuntu',
      command: `sudo cp ${file} /usr/local/share/ca-certificates/platform-ops.crt && sudo update-ca-certificates`,
      note: 'For curl, wget and most programs, but no browser.',
    },
    {
      system: 'Fedora, RHEL',
      command: `sudo cp ${file} /etc/pki/ca-trust/source/anchors/platform-ops.crt && sudo update-ca-trust`,
    },
    { system: 'Arch Linux', command: `sudo trust anchor --store ${file}` },
    {
      system: 'Chrome, Chromium, Edge on Linux',
      command: `certutil -d "sql:$HOME/.pki/nssdb" -A -t C,, -n ${shellWord(name)} -i ${file}`,
      note: 'Without root. certutil is in libnss3-tools (Debian, Ubuntu), nss-tools (Fedora), nss (Arch).',
    },
    {
      system: 'Firefox on Linux',
      command: `certutil -d "sql:<profile folder>" -A -t C,, -n ${shellWord(name)} -i ${file}`,
      note: 'Without root. about:profiles shows the folder. Or: Settings, Certificates, View Certificates, Authorities, Import.',
    },
    {
      system: 'Windows, from WSL',
      command: `certutil.exe -user -addstore Root "$(wslpath -w ${file})"`,
      note: 'For Edge, Chrome and Firefox on Windows; without administrator rights.',
    },
    { system: 'curl', command: `curl --cacert ${file} ${example}` },
    { system: 'Node.js', command: `NODE_EXTRA_CA_CERTS=${file} node ...` },
    {
      system: 'Python',
      command: `SSL_CERT_FILE=${file} python3 ...`,
      note: 'Takes the place of all other authorities. The package requests reads REQUESTS_CA_BUNDLE in the same way.',
    },
  ];
}
