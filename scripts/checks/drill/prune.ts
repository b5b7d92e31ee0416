import { isTracked } from '../../cluster/ownership.ts';
import { inCluster } from '../../components/removal.ts';
import type { Context } from '../../images/context.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { servicesNamespace } from '../../repository/applications.ts';
import { cast } from './cast.ts';
import type { Drill } from './drill.ts';
import { untilSeen } from './looking.ts';
import { backToGit, commitFor, noCommits, release, revertOf } from './release.ts';

const service = cast.back;
const name = `${service}-drill`;

const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: servicesNamespace } };

/** A commit adds a ConfigMap to a chart, the next one takes it out again. */
export const prune: Drill = {
  name: 'prune',
  promise: 'What leaves Git leaves the cluster',
  async hindrance(context) {
    const none = await noCommits(context);
    if (none !== undefined) return none;
    const [present] = await inCluster(context, [configMap]);
    const isOurs = present === undefined || isTracked(present, new Set([service]));
    return isOurs ? undefined : `the cluster has a ConfigMap ${name} that no drill created`;
  },

  async run(context) {
    const text = ['apiVersion: v1', 'kind: ConfigMap', 'metadata:', `  name: ${name}`, ''].join('\n');
    const added = await commitFor(context, service, `Add ConfigMap ${name}`, { 'templates/drill.yaml': text });
    await release(context, prune.name, service, added);
    await untilSeen(context, async () => ((await isThere(context)) ? undefined : `ConfigMap ${name} is not there`));
    const without = await revertOf(context, added);
    const started = performance.now();
    await release(context, prune.name, service, without);
    const look = async () => ((await isThere(context)) ? `ConfigMap ${name} is still there` : undefined);
    const seconds = await untilSeen(context, look, started);
    const evidence = `ConfigMap ${name}, deployed by ${shortSha(added)}, is gone with ${shortSha(without)}`;
    return { held: true, seconds, evidence };
  },

  async undo(context) {
    await backToGit(context);
    await untilSeen(context, async () => ((await isThere(context)) ? `ConfigMap ${name} is still there` : undefined));
  },
};

async function isThere(context: Context): Promise<boolean> {
  return (await inCluster(context, [configMap])).length > 0;
}
