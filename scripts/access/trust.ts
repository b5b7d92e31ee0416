import { release } from 'node:os';
import { UserError } from '../lib/errors.ts';
import { shellWord } from '../lib/text.ts';
import { keychainStore, nssStores, type StoreOptions, type TrustStore, windowsStore } from './trust-stores.ts';

/** What became of one store. */
export interface StoreResult {
  store: string;
  result: 'trusted' | 'trusted before' | 'removed' | 'nothing to remove' | 'failed';
  /** Why it failed. */
  reason?: string;
}

/** The stores of this system that need no root. */
export function storesOf(
  reach: StoreOptions,
  platform: string = process.platform,
  kernel: string = release(),
): TrustStore[] {
  if (platform === 'darwin') return [keychainStore(reach)];
  return [...nssStores(reach), ...(/microsoft/i.test(kernel) ? [windowsStore(reach)] : [])];
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
