import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { demand, type Person } from '../../e2e/support.ts';
import { untilSamePoint } from './same-point.ts';
import type { Sample } from './ways.ts';

// What `up` can't be quicker than, each part by itself on a machine that does nothing else.

interface Application {
  metadata: { name: string; namespace: string; finalizers?: string[] };
  [field: string]: unknown;
}

/** kind makes a bare cluster of another name, until its node is ready. */
export async function kindAlone(person: Person): Promise<Sample> {
  const name = 'platform-ops-apart';
  const kubeconfig = join(person.clone, '.state', name);
  const image = person.env.KIND_NODE_IMAGE;
  const started = performance.now();
  try {
    const options = [...(image === undefined ? [] : ['--image', image]), '--kubeconfig', kubeconfig, '--quiet'];
    await demand(person.run(['kind', 'create', 'cluster', '--name', name, ...options]));
    const ready = ['wait', '--for=condition=Ready', 'node', '--all', '--timeout=120s'];
    await demand(person.run(['kubectl', '--kubeconfig', kubeconfig, ...ready]));
    return { seconds: (performance.now() - started) / 1000 };
  } finally {
    await person.run(['kind', 'delete', 'cluster', '--name', name, '--kubeconfig', kubeconfig]);
  }
}

/**
 * In a cluster where everything else runs, without Argo CD and without Applications: Argo CD starts, is given the Applications,
 * and syncs them, until the pods of all serve.
 */
export async function argoCdAlone(person: Person): Promise<Sample> {
  const kubeconfig = join(person.clone, '.state', 'platform-ops', 'kubeconfig');
  const kubectl = (...args: string[]) =>
    demand(person.run(['kubectl', '--kubeconfig', kubeconfig, '--namespace', 'argocd', ...args]));
  const { stdout } = await kubectl('get', 'applications', '--output', 'json');
  const saved = (JSON.parse(stdout) as { items: Application[] }).items.map(({ metadata, status: _, ...rest }) => ({
    ...rest,
    metadata: { name: metadata.name, namespace: metadata.namespace, finalizers: metadata.finalizers ?? [] },
  }));
  const file = join(person.clone, '.state', 'applications.json');
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: saved }));
  await kubectl('delete', 'applications', '--all', '--timeout=120s');
  await kubectl('scale', 'deployment,statefulset', '--all', '--replicas=0');
  await kubectl('wait', '--for=delete', 'pods', '--all', '--timeout=120s');
  const started = performance.now();
  await kubectl('scale', 'deployment,statefulset', '--all', '--replicas=1');
  await kubectl('create', '--filename', file);
  await untilSamePoint(person, kubeconfig);
  return { seconds: (performance.now() - started) / 1000 };
}
