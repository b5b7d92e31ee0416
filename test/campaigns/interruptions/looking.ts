import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { viewOf } from '../../e2e/cluster-view.ts';
import { demand, type Person } from '../../e2e/support.ts';
import { type Found, normalised } from './normalised.ts';

/** All objects that a cluster can list, normalised. */
export async function objectsOf(person: Person, cluster: string): Promise<Map<string, string>> {
  const { kubectl, json } = viewOf(person, cluster);
  const { stdout } = await demand(kubectl('api-resources', '--verbs=list', '--output=name'));
  const kinds = stdout
    .split('\n')
    .filter((name) => name !== '' && !/^(events|pods\.metrics|nodes\.metrics)/.test(name));
  const { items } = await json<{ items: Found[] }>('get', kinds.join(','), '--all-namespaces');
  return normalised(items);
}

/** What a cluster has left behind on this machine. */
export function leftOf(person: Person, cluster: string): string[] {
  const docker = (...args: string[]) =>
    spawnSync('docker', args, { encoding: 'utf8' }).stdout.split('\n').filter(Boolean);
  return [
    ...docker('ps', '--all', '--format', '{{.Names}}', '--filter', `name=^${cluster}-`).map(
      (name) => `container ${name}`,
    ),
    ...[cluster, `${cluster}.lock`]
      .filter((name) => existsSync(join(person.clone, '.state', name)))
      .map((name) => `file .state/${name}`),
  ];
}
