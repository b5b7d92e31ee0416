import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { homedir, release } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { authorityName } from '../lib/certificates/authority.ts';
import { UserError } from '../lib/errors.ts';
import type { Exec, Output } from '../lib/exec.ts';

/** A place where a browser or a system looks up whom it trusts, that this user may write to. */
export interface TrustStore {
  title: string;
  /** The authorities of ours that are in it, and whether they are trusted. Throws a `UserError` where it can't be read. */
  list(): Promise<{ name: string; trusted: boolean }[]>;
  add(authority: { name: string; file: string }): Promise<void>;
  remove(name: string): Promise<void>;
}

/** What stores are reached with. */
interface StoreOptions {
  exec: Exec;
  home: string;
  /** Where programs keep their settings: XDG_CONFIG_HOME. */
  configHome: string;
}

/** The stores of this user that need no root. */
export function storesOf(exec: Exec, { childEnv }: Config): TrustStore[] {
  const home = childEnv.tool.HOME || homedir();
  return storesOn(process.platform, release(), {
    exec,
    home,
    configHome: childEnv.tool.XDG_CONFIG_HOME || join(home, '.config'),
  });
}

/** The same for any system, of which `kernel` is the release: that of Windows names its maker. */
export function storesOn(platform: string, kernel: string, options: StoreOptions): TrustStore[] {
  if (platform === 'darwin') return [keychainStore(options)];
  return [...nssStores(options), ...(/microsoft/i.test(kernel) ? [windowsStore(options)] : [])];
}

/** The names of our authorities in a text: the fixed part, and eight hexadecimal digits of their own. */
function namesIn(text: string): string[] {
  return [...new Set(text.match(new RegExp(`${authorityName} [0-9a-f]{8}\\b`, 'g')) ?? [])];
}

/** Runs a command of a store. Throws a `UserError` with what it said where it fails. */
async function runCommand(exec: Exec, command: readonly [string, ...string[]]): Promise<Output> {
  const output = await exec(command, { nothrow: true, timeout: 120_000 });
  if (output.exitCode === 0) return output;
  const said = `${output.stderr.trim()}\n${output.stdout.trim()}`.trim().split('\n')[0] ?? '';
  throw new UserError(`${command[0]} ended with exit code ${output.exitCode}: ${said}`);
}

/**
 * The login keychain of macOS, which Safari, Chrome and Firefox ask. The system asks for the password in a window.
 * See `man security`: add-trusted-cert, dump-trust-settings, delete-certificate.
 */
function keychainStore({ exec, home }: StoreOptions): TrustStore {
  const keychain = join(home, 'Library', 'Keychains', 'login.keychain-db');
  return {
    title: `login keychain, ${keychain}`,
    async list() {
      const { stdout } = await runCommand(exec, ['security', 'find-certificate', '-a', keychain]);
      // Fails where this user has not decided about any certificate yet.
      const settings = await exec(['security', 'dump-trust-settings'], { nothrow: true });
      const trusted = new Set(namesIn(settings.stdout));
      return namesIn(stdout).map((name) => ({ name, trusted: trusted.has(name) }));
    },
    add: async ({ file }) =>
      void (await runCommand(exec, ['security', 'add-trusted-cert', '-r', 'trustRoot', '-k', keychain, file])),
    // -t also takes back that it is trusted.
    remove: async (name) =>
      void (await runCommand(exec, ['security', 'delete-certificate', '-t', '-c', name, keychain])),
  };
}

/**
 * Where Chrome and its like keep their database on Linux. The first is taken where it exists; since version 146 the
 * second is made otherwise (Chromium's notes on Linux certificates). A browser from the Snap store has a home of its own.
 */
const chromeFolders = [
  '.pki/nssdb',
  '.local/share/pki/nssdb',
  'snap/chromium/current/.pki/nssdb',
  'snap/chromium/current/.local/share/pki/nssdb',
];
/** Where Firefox keeps its profiles, below the home folder: as it was always, of the Snap store, of Flatpak. */
const firefoxFolders = [
  '.mozilla/firefox',
  'snap/firefox/common/.mozilla/firefox',
  '.var/app/org.mozilla.firefox/.mozilla/firefox',
];

/** The certificate databases of this user's browsers on Linux. Makes the one that every Chrome takes where there is none. */
function nssStores({ exec, home, configHome }: StoreOptions): TrustStore[] {
  const chrome = chromeFolders.map((folder) => join(home, folder)).filter(isDatabase);
  // Since version 147 profiles lie below XDG_CONFIG_HOME.
  const roots = [...firefoxFolders.map((folder) => join(home, folder)), join(configHome, 'mozilla', 'firefox')];
  const firefox = roots.flatMap(profilesIn);
  return [
    ...(chrome.length > 0 ? chrome : [join(home, '.pki/nssdb')]).map((folder) => store('Chrome', folder)),
    ...firefox.map((folder) => store('Firefox', folder)),
  ];

  function store(browser: string, folder: string): TrustStore {
    const certutil = (...args: string[]) => runCommand(exec, ['certutil', '-d', `sql:${folder}`, ...args]);
    return {
      title: `${browser}, ${folder}`,
      async list() {
        if (!isDatabase(folder)) return [];
        await demandCertutil();
        const { stdout } = await certutil('-L');
        // A line for each: its name, and what it is trusted for; C is for servers.
        return stdout
          .split('\n')
          .flatMap((line) => namesIn(line).map((name) => ({ name, trusted: /\sC[^,\s]*,\S*$/.test(line.trimEnd()) })));
      },
      async add({ name, file }) {
        await demandCertutil();
        if (!isDatabase(folder)) {
          mkdirSync(folder, { recursive: true, mode: 0o700 });
          await certutil('-N', '--empty-password');
        }
        await certutil('-A', '-t', 'C,,', '-n', name, '-i', file);
      },
      remove: async (name) => void (await certutil('-D', '-n', name)),
    };
  }

  async function demandCertutil() {
    const { exitCode } = await exec(['certutil', '--help'], { nothrow: true });
    if (exitCode === 127)
      throw new UserError('certutil is not installed (Debian, Ubuntu: libnss3-tools; Fedora: nss-tools; Arch: nss)');
  }
}

function isDatabase(folder: string): boolean {
  return existsSync(join(folder, 'cert9.db'));
}

function profilesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .filter(isDatabase);
}

/** The Windows user's root certificates, from within WSL: Edge, Chrome and Firefox on Windows ask them. */
function windowsStore({ exec }: StoreOptions): TrustStore {
  const certutil = (...args: string[]) => runCommand(exec, ['certutil.exe', '-user', ...args]);
  return {
    title: 'Windows, root certificates of this user',
    async list() {
      const { stdout } = await certutil('-store', 'Root');
      return namesIn(stdout).map((name) => ({ name, trusted: true }));
    },
    async add({ file }) {
      const path = await runCommand(exec, ['wslpath', '-w', file]);
      await certutil('-addstore', 'Root', path.stdout.trim());
    },
    remove: async (name) => void (await certutil('-delstore', 'Root', name)),
  };
}
