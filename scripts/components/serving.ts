import type { Context } from '../context.ts';
import { UserError } from '../lib/errors.ts';
import type { Component } from './component.ts';
import { replaceEarlyDead } from './early-deaths.ts';
import { untilReady } from './until-ready.ts';

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
    if (status.state === 'ready') return undefined;
    await replaceEarlyDead(context, objects);
    return status.missing;
  };
  await untilReady(context, { objects, look, hint: 'npm run up puts right what is missing.' });
}
