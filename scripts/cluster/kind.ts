import { mkdir } from 'node:fs/promises';
import type { Context } from '../images/context.ts';
import { networkDiffers } from '../images/network.ts';
import { unpackedMount } from '../images/unpacked.ts';
import { WrongClock } from '../kubernetes/api/api.ts';
import { missingApi, waitForApi } from '../kubernetes/waiting/api-server.ts';
import type { DockerContainer } from '../lib/docker/containers.ts';
import { assertDockerResponds } from '../lib/docker/images.ts';
import { UserError } from '../lib/errors.ts';
import type { ApplyResult, Cluster, Status } from './component.ts';
import { createCluster, deleteCluster, finishedAt, shortImage } from './creation.ts';
import { followRefs, isNarrow } from './git-refs.ts';
import { writePrivateKubeconfig } from './kubeconfig.ts';
import { errorLine, ownContainer, waitForNodeReport } from './node.ts';

/** A cluster of kind: one node, with the Git folder mounted and the ingress ports published. */
export const kindCluster: Cluster = {
  presence: async (context) => (await ownContainer(context))?.state,
  reach,

  async status(context): Promise<Status> {
    const container = await ownContainer(context);
    if (!container) return { state: 'absent', missing: `there is no cluster ${context.config.clusterName}` };
    if (container.state !== 'running')
      return { state: 'unready', missing: `the node container ${context.node} is ${container.state}` };
    try {
      const missing = await missingApi(context);
      return missing === undefined
        ? { state: 'ready', detail: kindDetail(context, container) }
        : { state: 'unready', missing };
    } catch (error) {
      if (!(error instanceof WrongClock)) throw error;
      return { state: 'unready', missing: error.message, hint: error.hint };
    }
  },

  async apply(context): Promise<ApplyResult> {
    const container = await ownContainer(context);
    if (!container) return createCluster(context);
    const woken = await startFinished(context, container);
    if (!woken) {
      await deleteCluster(context);
      return { ...(await createCluster(context)), notes: ['The cluster was half created, and was recreated.'] };
    }
    const notes = imageDiffers(context, container)
      ? [
          `The cluster runs ${container.image}, the settings ask for ${context.config.nodeImage}: npm run down && npm run up changes it.`,
        ]
      : [];
    if (!isNarrow(container))
      notes.push(
        'The node sees the whole Git folder, as an earlier version mounted it: npm run down && npm run up shows it less.',
      );
    if (networkDiffers(context))
      notes.push(
        'The node reaches registries as HTTPS_PROXY and its like said when it was created: npm run down && npm run up changes it.',
      );
    return { changed: woken, detail: kindDetail(context, container), notes };
  },
};

/** Makes sure that the API server of a cluster that runs can be asked. Throws a `UserError` where it does not answer. */
async function reach(context: Context): Promise<void> {
  await fetchKubeconfig(context);
  await waitForApi(context);
}

/**
 * Starts the node of a cluster where it is stopped, and waits until the API server answers and what it tells is true again.
 * Returns what it did, or undefined for a cluster that is half created: nothing was ever in it.
 */
export async function startFinished(context: Context, container: DockerContainer): Promise<string[] | undefined> {
  if (isLost(container)) return undefined;
  const woken = await startNode(context, container);
  // Side by side: most of the time both are as they should be.
  const [finished, answers, created] = await Promise.all([
    finishedAt(context),
    isReached(context),
    isNarrow(container) ? followRefs(context) : [],
  ]);
  if (!finished) return undefined;
  if (!answers) await reach(context);
  if (woken.length > 0) await waitForNodeReport(context);
  return [...woken, ...created];
}

/** Whether the kubeconfig of before leads to an API server that answers: it trusts that of no other cluster. */
async function isReached(context: Context): Promise<boolean> {
  try {
    return (await missingApi(context)) === undefined;
  } catch (error) {
    // Said of the cluster's own kubeconfig, which is fetched then.
    if (error instanceof WrongClock) return false;
    throw error;
  }
}

/** Whether it never ran or is on its way out: then it can't be woken, and nothing can be in it. */
function isLost({ state }: DockerContainer): boolean {
  return ['created', 'removing', 'dead'].includes(state);
}

/** Starts what is stopped, as after a reboot. Returns what it did. */
async function startNode(context: Context, { state, binds }: DockerContainer): Promise<string[]> {
  const verb = state === 'paused' ? 'unpause' : state === 'running' || state === 'restarting' ? undefined : 'start';
  if (verb === undefined) return [];
  // Docker would make it as root's where somebody emptied the cache.
  const unpacked = binds.get(unpackedMount);
  if (unpacked !== undefined) await mkdir(unpacked, { recursive: true, mode: 0o700 }).catch(() => {});
  const { exitCode, stderr } = await context.exec(['docker', verb, context.node], { nothrow: true });
  if (exitCode !== 0) {
    assertDockerResponds(stderr);
    throw new UserError(`The stopped node container ${context.node} could not be started: ${errorLine(stderr)}`, {
      id: 'node-not-started',
      hint: 'npm run down && npm run up',
    });
  }
  return [`node container ${context.node} (${verb === 'start' ? 'started' : 'unpaused'})`];
}

/** The private kubeconfig can be had again from the node at any time, so losing it is no harm. */
async function fetchKubeconfig(context: Context): Promise<void> {
  const { path } = await context.toolbox.find('kind');
  const got = await context.exec([path, 'get', 'kubeconfig', '--name', context.config.clusterName], { nothrow: true });
  if (got.exitCode !== 0)
    throw new UserError(`kind can't tell the kubeconfig: ${errorLine(got.stderr)}`, {
      id: 'node-not-started',
      hint: 'npm run down && npm run up',
    });
  await writePrivateKubeconfig(context, got.stdout);
}

function imageDiffers({ config }: Context, { image }: DockerContainer): boolean {
  return shortImage(image) !== shortImage(config.nodeImage);
}

function kindDetail({ config }: Context, { image }: DockerContainer): string {
  return `${config.clusterName}, ${shortImage(image)}`;
}
