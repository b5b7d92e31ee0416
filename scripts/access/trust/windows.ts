import { namesIn, type Reach, type TrustStore, told } from './store.ts';

/** The Windows user's root certificates, from within WSL: Edge, Chrome and Firefox on Windows ask them. */
export function windowsStore({ exec }: Reach): TrustStore {
  const certutil = (...args: string[]) => told(exec, ['certutil.exe', '-user', ...args]);
  return {
    title: 'Windows, root certificates of this user',
    async list() {
      const { stdout } = await certutil('-store', 'Root');
      return namesIn(stdout).map((name) => ({ name, trusted: true }));
    },
    async add({ file }) {
      const path = await told(exec, ['wslpath', '-w', file]);
      await certutil('-addstore', 'Root', path.stdout.trim());
    },
    remove: async (name) => void (await certutil('-delstore', 'Root', name)),
  };
}
