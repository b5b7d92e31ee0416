import type { Context } from '../context.ts';
import { UserError } from '../lib/errors.ts';
import { remedyFor } from '../lib/refusals.ts';
import { outOfMemory } from '../lib/trouble.ts';

const later = 'npm run up goes on where it stopped.';

/** The error for what was waited for until the deadline, with the remedy that is known, or else the hint. */
export async function waitedInVain(context: Context, missing: string, hint?: string): Promise<UserError> {
  const sentence = `Waited ${context.timeout / 1000} s in vain: ${missing}.`;
  const known = remedyFor(missing) ?? hint;
  if (!/^the API server .* does not answer/.test(missing))
    return new UserError(sentence, { hint: known ?? `npm run status shows what there is; ${later}` });
  const killed = await killedForMemory(context);
  return killed > 0
    ? new UserError(`${sentence}\n  ${killed} processes of the node ${context.node} were killed for want of memory.`, {
        hint: outOfMemory,
      })
    : new UserError(sentence, { hint: known ?? `docker logs ${context.node} may tell why; ${later}` });
}

/** How often Docker saw the kernel kill a process of the node in the last minutes, because its memory was used up. */
async function killedForMemory({ exec, node }: Context): Promise<number> {
  const { exitCode, stdout } = await exec(
    [
      'docker',
      'events',
      '--since=15m',
      '--until=0s',
      `--filter=container=${node}`,
      '--filter=event=oom',
      '--format={{.Action}}',
    ],
    { nothrow: true, timeout: 30_000 },
  );
  return exitCode === 0 ? stdout.split('\n').filter((line) => line === 'oom').length : 0;
}
