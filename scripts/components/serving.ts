import type { Component } from '../cluster/component.ts';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { waitForReady } from '../kubernetes/waiting/ready.ts';
import { isReady, type Pod, podsOfWorkloads } from '../kubernetes/workloads.ts';
import { UserError } from '../lib/errors.ts';
import { replaceEarlyDead } from './early-deaths.ts';

/**
 * Waits until a component that was installed before is ready again, and changes nothing but pods that died because they woke
 * too early. Throws a `UserError` where it doesn't get ready, and at once where it is not there at all.
 */
export async function untilServing(context: Context, component: Component): Promise<void> {
  const objects = (await component.objects?.(context)) ?? [];
  const look = async () => {
    const status = await component.status(context);
    if (status.state === 'absent')
      throw new UserError(`${component.name} is not in the cluster ${context.config.clusterName}: ${status.missing}.`, {
        hint: 'npm run up brings what is missing.',
      });
    const missing = status.state === 'ready' ? await podUnready(context, objects) : status.missing;
    if (missing !== undefined) await replaceEarlyDead(context, objects);
    return missing;
  };
  await waitForReady(context, { objects, look, hint: 'npm run up puts right what is missing.' });
}

/**
 * The first pod of the workloads that is not ready, as a sentence. The controllers wake with the node, too: what they tell of
 * their workloads is what was true before, until they have looked.
 */
async function podUnready(context: Context, objects: readonly KubeObject[]): Promise<string | undefined> {
  const pods = (await podsOfWorkloads(context, objects)).flat();
  const stays = ({ metadata, status }: Pod) =>
    metadata.deletionTimestamp === undefined && !['Succeeded', 'Failed'].includes(status.phase);
  const unready = pods.find((pod) => stays(pod) && !isReady(pod));
  return unready && `Pod ${unready.metadata.namespace}/${unready.metadata.name} is not ready`;
}
