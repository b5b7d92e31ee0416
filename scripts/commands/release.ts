import type { ExitCode } from '../lib/errors.ts';
import { deliver, deliveryFlags, type Prepared, wishOf } from '../promotion/deliver.ts';
import { openDesk } from '../promotion/desk.ts';
import { holdsIn, sentenceOf, withoutHolds } from '../promotion/hold.ts';
import { findService, readValues } from '../promotion/services.ts';
import type { Command, Invocation } from './command.ts';

const { timeout: _, ...flags } = deliveryFlags;

export const release: Command = {
  name: 'release',
  summary: 'Lift the hold that a rollback put on a service.',
  description: [
    'Takes the note out of the values file and commits that, so that the service can be promoted again. The image that',
    'runs stays the same.',
  ].join('\n'),
  flags,
  operands: ['service'],
  examples: ['npm run release -- core-go', 'npm run release -- core-go --push'],
  run: runRelease,
};

async function runRelease(invocation: Invocation): Promise<ExitCode> {
  const { config, operands = [] } = invocation;
  const [word = ''] = operands;
  const wish = wishOf(invocation);
  return deliver(invocation, release.name, async (context): Promise<Prepared> => {
    const service = await findService(config.root, word);
    const desk = await openDesk(context, [service], wish);
    const before = await readValues(config.root, service);
    const holds = holdsIn(before);
    return {
      desk,
      edits: holds.length === 0 ? [] : [{ service, before, after: withoutHolds(before) }],
      message: `chore: release ${word}`,
      notes: holds.map((hold) => `Lifted: ${sentenceOf(hold)}`),
      unchanged: `${word} is not on hold. Nothing was changed.`,
      unfollowed: 'Nothing changes in the cluster by that.',
    };
  });
}
