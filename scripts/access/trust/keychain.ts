import { join } from 'node:path';
import { namesIn, type Reach, type TrustStore, told } from './store.ts';

/**
 * The login keychain of macOS, which Safari, Chrome and Firefox ask. The system asks for the password in a window.
 * See `man security`: add-trusted-cert, dump-trust-settings, delete-certificate.
 */
export function keychainStore({ exec, home }: Reach): TrustStore {
  const keychain = join(home, 'Library', 'Keychains', 'login.keychain-db');
  return {
    title: `login keychain, ${keychain}`,
    async list() {
      const { stdout } = await told(exec, ['security', 'find-certificate', '-a', keychain]);
      // Fails where this user has not decided about any certificate yet.
      const settings = await exec(['security', 'dump-trust-settings'], { nothrow: true });
      const trusted = new Set(namesIn(settings.stdout));
      return namesIn(stdout).map((name) => ({ name, trusted: trusted.has(name) }));
    },
    add: async ({ file }) =>
      void (await told(exec, ['security', 'add-trusted-cert', '-r', 'trustRoot', '-k', keychain, file])),
    // -t also takes back that it is trusted.
    remove: async (name) => void (await told(exec, ['security', 'delete-certificate', '-t', '-c', name, keychain])),
  };
}
