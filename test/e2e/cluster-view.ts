import { setTimeout as sleep } from 'node:timers/promises';
import { demand, type Person, type Ran } from './support.ts';

/** kubectl and helm as a person would use them on their cluster, beside the platform's own commands. */
export function viewOf(person: Person, cluster: string) {
  const config = ['--kubeconfig', `.state/${cluster}/kubeconfig`];
  // Not below the person's home: what is left there, the platform has left.
  const cache = ['--cache-dir', `.state/${cluster}/kubectl-cache`];
  const kubectl = (...args: string[]): Promise<Ran> => person.run(['kubectl', ...config, ...cache, ...args]);
  const helm = (...args: string[]): Promise<Ran> => person.run(['helm', ...config, ...args]);
  const json = async <T>(...args: string[]): Promise<T> =>
    JSON.parse((await demand(kubectl(...args, '--output=json'))).stdout) as T;
  /** The pods of the services that are on their way out, by name. */
  const terminating = async (): Promise<string[]> => {
    const { items } = await json<{ items: { metadata: { name: string; deletionTimestamp?: string } }[] }>(
      'get',
      'pods',
    );
    return items.flatMap(({ metadata }) => (metadata.deletionTimestamp === undefined ? [] : [metadata.name]));
  };
  return {
    kubectl,
    helm,
    json,
    /** Runs JavaScript in a pod of a Deployment: the stand-ins bring Node. Hands back what it prints. */
    inPod: (deployment: string, script: string): Promise<Ran> =>
      kubectl('exec', `deployment/${deployment}`, '--', 'node', '--input-type=module', '--eval', script),
    terminating,
    /** Waits until no pod of the services is on its way out. */
    noneTerminates: () => eventually('no pod terminates', 60, async () => (await terminating()).length === 0),
    /** What each Application says of itself. */
    async applications(): Promise<{ name: string; sync: string; health: string }[]> {
      const { items } = await json<{
        items: {
          metadata: { name: string };
          status?: { sync?: { status: string }; health?: { status: string } };
        }[];
      }>('get', 'applications.argoproj.io', '--namespace=argocd');
      return items.map(({ metadata, status }) => ({
        name: metadata.name,
        sync: status?.sync?.status ?? 'unknown',
        health: status?.health?.status ?? 'unknown',
      }));
    },
  };
}

/** Asks until there is an answer. Throws after so many seconds, with what was waited for. */
export async function eventually<T>(
  what: string,
  seconds: number,
  look: () => Promise<T | undefined | false>,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await sleep(1000);
  }
}
