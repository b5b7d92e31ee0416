import { isTracked } from '../../cluster/ownership.ts';
import { inCluster } from '../../components/removal.ts';
import type { Context } from '../../images/context.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { servicesNamespace } from '../../repository/applications.ts';
import { commitFiles, commitRevert, commitsHindrance, deployCommit, restoreFromGit } from './commits.ts';
import { type Drill, drillServices } from './drill.ts';
import { waitForState } from './service-state.ts';

const service = drillServices.back;
const name = `${service}-drill`;

const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: servicesNamespace } };

/** A commit adds a ConfigMap to a chart, the next one takes it out again. */
export const pruneDrill: Drill = {
  name: 'prune',
  promise: 'What leaves Git leaves the cluster',
  async hindrance(context) {
    const none = await commitsHindrance(context);
    if (none !== undefined) return none;
    const [present] = await inCluster(context, [configMap]);
    const isOurs = present === undefined || isTracked(present, new Set([service]));
    return isOurs ? undefined : `the cluster has a ConfigMap ${name} that no drill created`;
  },

  async run(context) {
    const text = ['apiVersion: v1', 'kind: ConfigMap', 'metadata:', `  name: ${name}`, ''].join('\n');
    const added = await commitFiles(context, service, `Add ConfigMap ${name}`, { 'templates/drill.yaml': text });
    await deployCommit(context, pruneDrill.name, service, added);
    await waitForState(context, async () =>
      (await configMapExists(context)) ? undefined : `ConfigMap ${name} is not there`,
    );
    const without = await commitRevert(context, added);
    const started = performance.now();
    await deployCommit(context, pruneDrill.name, service, without);
    const look = async () => ((await configMapExists(context)) ? `ConfigMap ${name} is still there` : undefined);
    const seconds = await waitForState(context, look, started);
    const evidence = `ConfigMap ${name}, deployed by ${shortSha(added)}, is gone with ${shortSha(without)}`;
    return { held: true, seconds, evidence };
  },

  async undo(context) {
    await restoreFromGit(context);
    await waitForState(context, async () =>
      (await configMapExists(context)) ? `ConfigMap ${name} is still there` : undefined,
    );
  },
};

async function configMapExists(context: Context): Promise<boolean> {
  return (await inCluster(context, [configMap])).length > 0;
}
