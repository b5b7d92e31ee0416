import { UserError } from '../../lib/errors.ts';
import { remedyFor } from '../api/refusals.ts';
import type { Context } from '../context.ts';
import { groundOf } from '../explain/runtime.ts';
import { outOfMemory } from '../explain/trouble.ts';

const later = 'npm run up goes on where it stopped.';

/** The error for what was waited for until the deadline, with the remedy that is known, or else the hint. */
export async function waitedInVain(context: Context, missing: string, hint?: string): Promise<UserError> {
  const sentence = `Waited ${context.timeout / 1000} s in vain: ${missing}.`;
  const known = remedyFor(missing) ?? hint;
  if (!/^the API server .* does not answer/.test(missing))
    return new UserError(sentence, { hint: known ?? `npm run status shows what there is; ${later}` });
  const ground = groundOf(context);
  const killed = await ground.killedForMemory(context);
  return killed > 0
    ? new UserError(`${sentence}\n  ${killed} processes of the node ${context.node} were killed for want of memory.`, {
        hint: outOfMemory,
      })
    : new UserError(sentence, { hint: known ?? `${ground.tellsWhy(context)}; ${later}` });
}
