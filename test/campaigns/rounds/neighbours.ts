import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { viewOf } from '../../e2e/cluster-view.ts';
import { demand, type Person, start } from '../../e2e/support.ts';

/** What stands beside a cluster, and must not be touched: another cluster of the same clone, one of kind, a container. */
export interface Neighbours {
  /** A line for each thing of theirs that must stay as it is. */
  look(): Promise<Set<string>>;
  /** The objects of a cluster that only kind made, as `KIND NAMESPACE/NAME`. */
  objectsOfKind(): Promise<string[]>;
  /** Has them take no processor time until `thaw`, so that times are those of a machine that does nothing else. */
  freeze(): void;
  thaw(): void;
  remove(): Promise<void>;
}

/** Kinds that tell two clusters apart; leases, events and endpoints come and go by themselves. */
const kinds = [
  'namespaces,deployments,daemonsets,statefulsets,pods,services,configmaps,secrets,serviceaccounts,ingresses',
  'networkpolicies,horizontalpodautoscalers,poddisruptionbudgets,roles,rolebindings,clusterroles,clusterrolebindings',
  'customresourcedefinitions,ingressclasses,apiservices,validatingwebhookconfigurations,storageclasses',
].join(',');

/** Makes the neighbours of `cluster` and waits until each of them runs. */
export async function makeNeighbours(person: Person, cluster: string, ports: { http: number; https: number }) {
  const second = `${cluster}-second`;
  const foreign = `${cluster}-foreign`;
  const container = `${cluster}-bystander`;
  const folder = mkdtempSync(join(tmpdir(), 'neighbours '));
  const kubeconfig = join(folder, 'kubeconfig');
  const env = { CLUSTER_NAME: second, HTTP_PORT: String(ports.http), HTTPS_PORT: String(ports.https) };
  const own = { cwd: folder, env: { PATH: process.env.PATH ?? '', HOME: folder } };
  const image = person.env.KIND_NODE_IMAGE;
  const node = image === undefined ? [] : ['--image', image];
  const kubectl = (...args: string[]) => start(['kubectl', '--kubeconfig', kubeconfig, ...args], own);
  const nodes = [second, foreign].map((name) => `${name}-control-plane`);
  const freeze = () => void spawnSync('docker', ['pause', ...nodes]);
  const thaw = () => void spawnSync('docker', ['unpause', ...nodes]);
  const remove = async () => {
    thaw();
    await person.run(['npm', 'run', '--silent', 'down'], { env });
    for (const name of [second, foreign])
      await start(['kind', 'delete', 'cluster', '--name', name, '--kubeconfig', kubeconfig], own);
    spawnSync('docker', ['rm', '--force', '--volumes', container]);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await demand(start(['kind', 'create', 'cluster', '--name', foreign, '--kubeconfig', kubeconfig, ...node], own));
    await demand(kubectl('wait', '--for=condition=Ready', 'node', '--all', '--timeout=120s'));
    await demand(kubectl('create', 'configmap', 'foreign', '--from-literal=a=b'));
    await demand(person.run(['npm', 'run', '--silent', 'up'], { env }));
    const used = spawnSync('docker', ['inspect', '--format', '{{.Config.Image}}', `${foreign}-control-plane`]);
    const running = ['--name', container, '--entrypoint', 'sleep', '--volume', '/kept', used.stdout.toString().trim()];
    await demand(start(['docker', 'run', '--detach', ...running, 'infinity'], own));
  } catch (error) {
    await remove();
    throw error;
  }
  const inspect = (name: string) =>
    spawnSync('docker', ['inspect', '--format', '{{.Id}} {{.State.StartedAt}} {{json .Mounts}}', name]).stdout;
  const neighbours: Neighbours = {
    freeze,
    thaw,
    async look() {
      const found = await Promise.all([
        demand(viewOf(person, second).kubectl('get', kinds, '--all-namespaces', ...uids)),
        demand(kubectl('get', kinds, '--all-namespaces', ...uids)),
      ]);
      return new Set([
        ...[...nodes, container].map((name) => `${name} ${inspect(name)}`),
        ...found.flatMap(({ stdout }, index) =>
          stdout.split('\n').map((line) => `${[second, foreign][index]} ${line}`),
        ),
      ]);
    },
    async objectsOfKind() {
      const { stdout } = await demand(kubectl('get', kinds, '--all-namespaces', ...names));
      return objectNames(stdout).filter((name) => name !== 'ConfigMap default/foreign');
    },
    remove,
  };
  return neighbours;
}

const uids = ['--no-headers', '--output=custom-columns=K:.kind,S:.metadata.namespace,N:.metadata.name,U:.metadata.uid'];
const names = ['--no-headers', '--output=custom-columns=K:.kind,S:.metadata.namespace,N:.metadata.name'];

/** The objects of a cluster of the platform, in the words of `objectsOfKind`. */
export async function objectsIn(person: Person, cluster: string): Promise<string[]> {
  const { stdout } = await demand(viewOf(person, cluster).kubectl('get', kinds, '--all-namespaces', ...names));
  return objectNames(stdout);
}

/** Without what bears a generated name, or the cluster's own. */
function objectNames(text: string): string[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => line.trim().split(/\s+/))
    .filter(([kind]) => kind !== 'Pod')
    .map(([kind, namespace, name]) => `${kind} ${namespace === '<none>' ? '' : `${namespace}/`}${name}`)
    .sort();
}
