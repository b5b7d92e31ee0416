import { noCluster, presence } from '../cluster/cluster.ts';
import { assertNoTargetContext } from '../cluster/existing-cluster.ts';
import { withScratchState } from '../cluster/kubeconfig.ts';
import { lockCluster } from '../cluster/lock.ts';
import { markerFor, removeMarker } from '../cluster/territory.ts';
import { prettyJson, resetPlatform } from '../components/reset/reset.ts';
import type { Invocation } from '../config/config.ts';
import { createContext } from '../context.ts';
import { namedOf } from '../kubernetes/objects.ts';
import { ExitCode } from '../lib/errors.ts';
import { createProgress } from '../lib/terminal/progress.ts';
import { findLocalItems } from './cleanup/find.ts';
import { removeItems } from './cleanup/items.ts';
import { confirmation, contextOptions } from './command.ts';

/**
 * Carries out `npm run down` on a cluster that others run: removes the platform, with its mark and the private
 * kubeconfig, and leaves the cluster and all that is theirs.
 */
export async function uninstall(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, signal, progressStream, print } = invocation;
  if (flags.purge)
    assertNoTargetContext(config, 'down -- --purge', 'what it removes is shared by your clusters of kind');
  const dryRun = flags['dry-run'] === true;
  const confirm = confirmation(
    invocation,
    'npm run down -- --dry-run lists what it would remove; npm run down -- --yes removes it.',
  );
  const progress = await createProgress(progressStream);
  const unlock = dryRun ? () => {} : await lockCluster(invocation, 'down');
  const work = async (settings: Invocation['config']) => {
    const context = createContext(settings, contextOptions(invocation, progress.note));
    const there = (await presence(context)) !== undefined;
    // What is on this machine is told by the real folder, also where only a copy of it is worked with.
    const local = findLocalItems(config);
    const removeLocal = async () => void (await removeItems(local, async () => [], signal));
    if (!there) {
      if (!dryRun) await removeLocal();
      const result = dryRun ? { wouldRemove: local.map(({ kind, name }) => ({ kind, name })), kept: [] } : nothing;
      print(flags.json ? prettyJson(result) : `Nothing to remove: ${noCluster(context).message}`);
      return ExitCode.done;
    }
    const rest = {
      items: [namedOf(markerFor(context)), ...local.map(({ kind, name }) => ({ kind, name }))],
      async remove() {
        await removeMarker(context);
        await removeLocal();
      },
    };
    return resetPlatform({ invocation, context, confirm, progress, rest });
  };
  try {
    return await (dryRun ? withScratchState(config, work) : work(config));
  } finally {
    progress.stop();
    unlock();
  }
}

const nothing = { removed: [], kept: [], left: [] };
