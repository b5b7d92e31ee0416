import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Context } from '../images/context.ts';
import { unpackedMount } from '../images/unpacked.ts';
import { toReadableYaml } from '../kubernetes/objects.ts';
import { gitMount } from './own-container.ts';

interface KindConfig {
  name?: string;
  nodes: {
    extraPortMappings: { containerPort: number; hostPort: number }[];
    extraMounts: { hostPath: string; containerPath: string; readOnly?: boolean }[];
  }[];
}

/** cluster/kind.yaml with this cluster's name, ports and Git folder, and the folder of unpacked images where there is one. */
export async function kindConfig(context: Context, unpacked: string | undefined): Promise<string> {
  const { root, ports, clusterName } = context.config;
  const { commonDir } = await context.checkout();
  const config = parse(await readFile(join(root, 'cluster', 'kind.yaml'), 'utf8')) as KindConfig;
  config.name = clusterName;
  for (const { extraPortMappings, extraMounts } of config.nodes) {
    for (const mapping of extraPortMappings) mapping.hostPort = mapping.containerPort === 80 ? ports.http : ports.https;
    for (const mount of extraMounts) if (mount.containerPath === gitMount) mount.hostPath = commonDir;
    if (unpacked !== undefined) extraMounts.push({ hostPath: unpacked, containerPath: unpackedMount, readOnly: true });
  }
  return toReadableYaml(config);
}
