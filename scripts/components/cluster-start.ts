import { presence } from '../cluster/cluster.ts';
import type { Component } from '../cluster/component.ts';
import { halfCreated } from '../cluster/creation.ts';
import { startFinished } from '../cluster/kind.ts';
import { ownContainer } from '../cluster/node.ts';
import type { Context } from '../images/context.ts';
import { podsOfWorkloads } from '../kubernetes/api/view.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import type { Pod } from '../kubernetes/types.ts';
import { waitForReady } from '../kubernetes/waiting/ready.ts';
import { isReady } from '../kubernetes/workloads.ts';
import type { DockerContainer } from '../lib/docker/containers.ts';
import { UserError } from '../lib/errors.ts';
import type { Progress } from '../lib/terminal/progress.ts';
import { replaceCrashedPods } from './installation.ts';

/**
 * Waits until a component that was installed before is ready again, and changes nothing but pods that died because they woke
 * too early. Throws a `UserError` where it doesn't get ready, and at once where it is not there at all.
 */
export async function waitUntilServing(context: Context, component: Component): Promise<void> {
  const objects = (await component.objects?.(context)) ?? [];
  const look = async () => {
    const status = await component.status(context);
    if (status.state === 'absent')
      throw new UserError(`${component.name} is not in the cluster ${context.config.clusterName}: ${status.missing}.`, {
        id: 'component-absent',
        hint: 'npm run up brings what is missing.',
      });
    const missing = status.state === 'ready' ? await unreadyPod(context, objects) : status.missing;
    if (missing !== undefined) await replaceCrashedPods(context, objects);
    return missing;
  };
  await waitForReady(context, { objects: () => objects, look, hint: 'npm run up repairs what is missing.' });
}

/**
 * The first pod of the workloads that is not ready, as a sentence. The controllers wake with the node, too: what they tell of
 * their workloads is what was true before, until they have looked.
 */
async function unreadyPod(context: Context, objects: readonly KubeObject[]): Promise<string | undefined> {
  const pods = (await podsOfWorkloads(context, objects)).flat();
  const stays = ({ metadata, status }: Pod) =>
    metadata.deletionTimestamp === undefined && !['Succeeded', 'Failed'].includes(status.phase);
  const unready = pods.find((pod) => stays(pod) && !isReady(pod));
  return unready && `Pod ${unready.metadata.namespace}/${unready.metadata.name} is not ready`;
}

/**
 * Starts a cluster that is stopped.
 * @returns what it did.
 * @throws UserError for one that is half created.
 */
export async function startOwnCluster(context: Context, container: DockerContainer): Promise<string[]> {
  const woken = await startFinished(context, container);
  if (woken) return woken;
  throw halfCreated(context);
}

/**
 * Makes sure that the cluster can be asked, and starts it where it is stopped; false where there is none. Throws a
 * `UserError` for one that is half created, and for one that would have to be started only to look.
 */
export async function ensureStarted(context: Context, progress: Progress, onlyLook: boolean): Promise<boolean> {
  // What somebody else runs can't be started from here.
  if (context.target !== undefined) return (await presence(context)) !== undefined;
  const container = await ownContainer(context);
  if (!container) return false;
  if (container.state !== 'running' && onlyLook) {
    throw new UserError(`The node container ${context.node} is ${container.state}, so nobody can say what is in it.`, {
      id: 'node-stopped',
      hint: 'npm run start; npm run reset without --dry-run starts it by itself.',
    });
  }
  for (const what of await startOwnCluster(context, container)) progress.note(what);
  return true;
}
