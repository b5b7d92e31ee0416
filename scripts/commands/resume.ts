import { openWorkspace } from '../delivery/promote/workspace.ts';
import type { ExitCode } from '../lib/errors.ts';
import { holdSentence, holdsIn, withoutHolds } from '../repository/hold.ts';
import { findService, readValuesText } from '../repository/service-files.ts';
import { type Command, deliveryFlags, type Invocation } from './command.ts';
import { commitOptionsOf, deliver, type PreparedEdits } from './deliver.ts';

const { timeout: _, ...flags } = deliveryFlags;

export const resumeCommand: Command = {
  description: [
    'Takes the note out of the values file and commits that, so that the service can be promoted again. The image that',
    'runs stays the same.',
  ].join('\n'),
  flags,
  operands: ['service'],
  examples: ['npm run resume -- core-go', 'npm run resume -- core-go --push'],
  run: runResume,
};

async function runResume(invocation: Invocation): Promise<ExitCode> {
  const { config, operands = [] } = invocation;
  const [word = ''] = operands;
  const commitOptions = commitOptionsOf(invocation);
  return deliver(invocation, 'resume', async (context): Promise<PreparedEdits> => {
    const service = await findService(config.root, word);
    const workspace = await openWorkspace(context, [service], commitOptions);
    const before = await readValuesText(config.root, service);
    const holds = holdsIn(before);
    return {
      workspace,
      edits: holds.length === 0 ? [] : [{ service, before, after: withoutHolds(before) }],
      message: `chore: release ${word}`,
      notes: holds.map((hold) => `Lifted: ${holdSentence(hold)}`),
      unchanged: `${word} is not on hold. Nothing was changed.`,
      unfollowed: 'Nothing changes in the cluster by that.',
    };
  });
}
