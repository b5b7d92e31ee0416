import { openDesk } from '../delivery/promote/desk.ts';
import type { ExitCode } from '../lib/errors.ts';
import { holdSentence, holdsIn, withoutHolds } from '../repository/hold.ts';
import { findService, readValuesText } from '../repository/service-files.ts';
import type { Invocation } from './command.ts';
import { deliver, type Prepared, wishOf } from './deliver.ts';

/** Carries out `npm run release`. */
export async function runRelease(invocation: Invocation): Promise<ExitCode> {
  const { config, operands = [] } = invocation;
  const [word = ''] = operands;
  const wish = wishOf(invocation);
  return deliver(invocation, 'release', async (context): Promise<Prepared> => {
    const service = await findService(config.root, word);
    const desk = await openDesk(context, [service], wish);
    const before = await readValuesText(config.root, service);
    const holds = holdsIn(before);
    return {
      desk,
      edits: holds.length === 0 ? [] : [{ service, before, after: withoutHolds(before) }],
      message: `chore: release ${word}`,
      notes: holds.map((hold) => `Lifted: ${holdSentence(hold)}`),
      unchanged: `${word} is not on hold. Nothing was changed.`,
      unfollowed: 'Nothing changes in the cluster by that.',
    };
  });
}
