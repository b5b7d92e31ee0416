import { parse, stringify } from 'yaml';
import { eventually } from '../../e2e/cluster-view.ts';
import type { World } from './world.ts';

const file = '/var/lib/kubelet/config.yaml';

/** Gives the node's kubelet other settings, and waits until it says that the condition holds. Undone afterwards. */
export async function setKubelet(world: World, settings: object, condition: string): Promise<void> {
  const before = await world.inNode(`cat ${file}`);
  const write = (text: string) =>
    world.inNode(`echo ${Buffer.from(text).toString('base64')} | base64 -d > ${file}; systemctl restart kubelet`);
  const holds = async () => {
    const path = `{.status.conditions[?(@.type=="${condition}")].status}`;
    return (await world.kubectl('get', 'node', world.node, `--output=jsonpath=${path}`)) === 'True';
  };
  world.undo(() => eventually(`the node is free of ${condition}`, 120, async () => !(await holds())));
  world.undo(() => write(before));
  await write(stringify({ ...(parse(before) as object), ...settings, evictionPressureTransitionPeriod: '10s' }));
  await eventually(`the node says ${condition}`, 60, holds);
}
