import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { destinationsWith } from '../../../scripts/access/port-forward/destinations.ts';
import { type ApiServer, connect } from '../../../scripts/kubernetes/api/api.ts';
import { endpointOf, slicesPath } from '../../../scripts/kubernetes/port-forward.ts';
import type { EndpointSlice } from '../../../scripts/kubernetes/types.ts';
import { httpGet } from '../../../scripts/lib/http/client.ts';
import { demand, type Person } from '../../e2e/support.ts';

const { signal } = new AbortController();

/** The API server of a person's cluster, asked beside the forwarder. */
export function apiOf({ clone }: Person, cluster: string): ApiServer {
  return connect(readFileSync(join(clone, '.state', cluster, 'kubeconfig'), 'utf8'), signal);
}

/** Asks again and again until it is so, without a pause that would blur the time. Throws after so many seconds. */
async function until<T>(what: string, seconds: number, look: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = performance.now() + seconds * 1000; performance.now() < deadline; await sleep(20)) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
  }
  throw new Error(`not within ${seconds} s: ${what}`);
}

/** Milliseconds until an address answers, if only to send on elsewhere. Who comes too early may be held at the door, which counts. */
async function untilAnswered(url: string): Promise<number> {
  const started = performance.now();
  await until(`${url} answers`, 30, async () => {
    const { status } = await httpGet(url, { timeout: 30_000 });
    return status < 400 ? true : undefined;
  });
  return performance.now() - started;
}

/**
 * Deletes the pod that a destination leads to, waits until the next one is ready, and hands back how many milliseconds
 * later its address works. Throws where it does not.
 */
export async function replacePod(
  person: Person,
  cluster: string,
  api: ApiServer,
  name: string,
  url: string,
): Promise<number> {
  const destination = destinationsWith({ namespace: 'default', service: 'api-node' }).find((one) => one.name === name);
  if (!destination) throw new Error(`there is no destination ${name}`);
  const now = async () => {
    const { items } = await api.json<{ items: EndpointSlice[] }>(slicesPath);
    return endpointOf(items, destination, undefined);
  };
  const before = await now();
  if (!before) throw new Error(`${name} has no pod`);
  const kubectl = [
    'kubectl',
    '--kubeconfig',
    `.state/${cluster}/kubeconfig`,
    '--namespace',
    destination.namespace,
  ] as const;
  await demand(person.run([...kubectl, 'delete', 'pod', before.pod, '--wait=false']));
  await until(`another pod of ${name} is ready`, 180, async () => {
    const pod = await now();
    return pod !== undefined && pod.uid !== before.uid ? true : undefined;
  });
  return untilAnswered(url);
}

/** Kills the API server, waits until it answers again, and hands back how many milliseconds later each address works. */
export async function restartApiServer(
  person: Person,
  cluster: string,
  api: ApiServer,
  urls: ReadonlyMap<string, string>,
): Promise<Map<string, number>> {
  await demand(person.run(['docker', 'exec', `${cluster}-control-plane`, 'pkill', '-KILL', '-x', 'kube-apiserver']));
  await until('the API server is gone', 30, () =>
    api.text('/readyz').then(
      () => undefined,
      () => true,
    ),
  );
  await until('the API server is back', 120, async () => ((await api.text('/readyz')) === 'ok' ? true : undefined));
  const times = [...urls].map(async ([name, url]) => [name, await untilAnswered(url)] as const);
  return new Map(await Promise.all(times));
}
