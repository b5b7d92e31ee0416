import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { readKustomizedObjects } from '../../repository/manifests.ts';
import type { Room } from './capacity.ts';

const folder = 'observability/prometheus';
const prefixes = ['', 'K', 'M', 'G', 'T'];

interface Spec {
  template: { spec: { containers: { resources: { limits: { memory: string } } }[] } };
}

/** What the manifests of Prometheus give it. Throws where they don't say. */
export async function readRoom(root: string): Promise<Room> {
  const objects = await readKustomizedObjects(root, folder);
  const spec = objects.find(({ kind }) => kind === 'Deployment')?.spec as Spec | undefined;
  const { storage } = parse(await readFile(join(root, folder, 'prometheus.yml'), 'utf8')) as {
    storage: { tsdb: { retention: { size: string } } };
  };
  return {
    disk: bytesOf(storage.tsdb.retention.size),
    memory: bytesOf(spec?.template.spec.containers[0]?.resources.limits.memory ?? ''),
  };
}

/** `512Mi` as Kubernetes writes it, or `512MB` as Prometheus does, which means the same by it: 1024 of 1024. */
export function bytesOf(text: string): number {
  const { number, prefix = '' } = /^(?<number>[\d.]+)(?<prefix>[KMGT])(?:i|i?B)$/.exec(text)?.groups ?? {};
  if (number === undefined) throw new Error(`"${text}" is no size in bytes`);
  return Number(number) * 1024 ** prefixes.indexOf(prefix);
}
