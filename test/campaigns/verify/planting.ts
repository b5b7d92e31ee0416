import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pod, Workload } from '../../../scripts/kubernetes/types.ts';
import { missingOf } from '../../../scripts/kubernetes/workloads.ts';
import { viewOf } from '../../e2e/cluster-view.ts';
import { demand, type Person } from '../../e2e/support.ts';

/** Hands with which faults are planted on a person's cluster. */
export type Planted = ReturnType<typeof plantingOn>;

export function plantingOn(person: Person, cluster: string) {
  const view = viewOf(person, cluster);
  const kubectl = async (...args: string[]): Promise<void> => void (await demand(view.kubectl(...args)));

  /** Throws after three minutes: Argo CD looks every few seconds, and the kubelet renews files once a minute. */
  const until = async (what: string, look: () => Promise<boolean>): Promise<void> => {
    for (const deadline = Date.now() + 180_000; !(await look().catch(() => false)); await sleep(500)) {
      if (Date.now() > deadline) throw new Error(`not within three minutes: ${what}`);
    }
  };
  const untilPods = (service: string, what: string, isSo: (pod: Pod) => boolean): Promise<void> =>
    until(`${service} ${what}`, async () => {
      const [deployment, { items }] = await Promise.all([
        view.json<Workload>('get', `deployment/${service}`),
        view.json<{ items: Pod[] }>('get', 'pods', `--selector=app.kubernetes.io/name=${service}`),
      ]);
      const living = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      return missingOf(deployment) === undefined && living.length > 0 && living.every(isSo);
    });
  const commit = async (edits: Readonly<Record<string, readonly [from: string, to: string]>>): Promise<void> => {
    for (const [file, [from, to]] of Object.entries(edits)) {
      const path = join(person.clone, file);
      const before = readFileSync(path, 'utf8');
      if (!before.includes(from)) throw new Error(`the fault changes nothing in ${file}`);
      writeFileSync(path, before.replace(from, to));
    }
    await demand(person.run(['git', 'commit', '--quiet', '--all', '--message', 'Plant a fault']));
  };

  return {
    kubectl,
    commit,
    untilPods,
    /** Takes the last commit back, and waits until the service is as it was. */
    async revert(service: string): Promise<void> {
      await demand(person.run(['git', 'revert', '--no-edit', 'HEAD']));
      const head = (await demand(person.run(['git', 'rev-parse', 'HEAD']))).stdout.trim();
      await until(`${service} is deployed as it was`, async () => {
        const application = await view.json<{ status?: { sync?: { revision?: string; status?: string } } }>(
          'get',
          `application/${service}`,
          '--namespace=argocd',
        );
        const { sync } = application.status ?? {};
        return sync?.revision === head && sync.status === 'Synced';
      });
      await untilPods(service, 'runs', () => true);
    },
    untilObject: (object: string, text: RegExp): Promise<void> =>
      until(`${object} has ${text}`, async () => text.test(JSON.stringify(await view.json('get', object)))),
    /** Edits one file in a ConfigMap of the monitoring, and has the kubelet bring it to Prometheus at once. */
    async editConfigMap(name: string, file: string, edit: (text: string) => string): Promise<void> {
      const namespace = '--namespace=observability';
      const { data } = await view.json<{ data: Record<string, string> }>('get', `configmap/${name}`, namespace);
      const before = data[file];
      const after = before === undefined ? undefined : edit(before);
      if (after === undefined || after === before) throw new Error(`the fault changes nothing in ${name}/${file}`);
      const patch = join(person.home, 'patch.json');
      writeFileSync(patch, JSON.stringify({ data: { [file]: after } }), { mode: 0o644 });
      await kubectl('patch', `configmap/${name}`, namespace, '--type=merge', `--patch-file=${patch}`);
      const pods = ['pods', '--selector=app.kubernetes.io/name=prometheus', namespace];
      await kubectl('annotate', ...pods, `test/planted=${Date.now()}`, '--overwrite');
    },
    async restartGrafana(): Promise<void> {
      await kubectl('rollout', 'restart', 'deployment/grafana', '--namespace=observability');
      await kubectl('rollout', 'status', 'deployment/grafana', '--namespace=observability', '--timeout=120s');
    },
    /** Waits until a query of Prometheus has an answer. */
    untilPrometheus: (what: string, query: string): Promise<void> =>
      until(`Prometheus ${what}`, async () => {
        const path = `/api/v1/namespaces/observability/services/http:prometheus:9090/proxy/api/v1/query?${new URLSearchParams({ query })}`;
        const { stdout } = await demand(view.kubectl('get', '--raw', path));
        return (JSON.parse(stdout) as { data: { result: unknown[] } }).data.result.length > 0;
      }),
  };
}
