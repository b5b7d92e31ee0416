import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import { namesIn, type Reach, type TrustStore, told } from './store.ts';

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
export function nssStores({ exec, home, configHome }: Reach): TrustStore[] {
  const chrome = chromeFolders.map((folder) => join(home, folder)).filter(isDatabase);
  // Since version 147 profiles lie below XDG_CONFIG_HOME.
  const roots = [...firefoxFolders.map((folder) => join(home, folder)), join(configHome, 'mozilla', 'firefox')];
  const firefox = roots.flatMap(profilesIn);
  return [
    ...(chrome.length > 0 ? chrome : [join(home, '.pki/nssdb')]).map((folder) => store('Chrome', folder)),
    ...firefox.map((folder) => store('Firefox', folder)),
  ];

  function store(browser: string, folder: string): TrustStore {
    const certutil = (...args: string[]) => told(exec, ['certutil', '-d', `sql:${folder}`, ...args]);
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
