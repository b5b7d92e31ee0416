import { noClusterReason, prepareNode } from '../delivery/promote/images.ts';
import { planRollback } from '../delivery/promote/rollback.ts';
import { openWorkspace } from '../delivery/promote/workspace.ts';
import type { ExitCode } from '../lib/errors.ts';
import { findService } from '../repository/service-files.ts';
import { type Command, deliveryFlags, type Invocation } from './command.ts';
import { commitOptionsOf, deliver, type PreparedEdits } from './deliver.ts';

export const rollbackCommand: Command = {
  description: [
    'Finds the commit that brought the image of the service, whoever made it, and takes it back: by git revert, or only',
    "this service's lines where that commit changed more. Run it again to go further back. The same commit puts a hold",
    'into the values file, which keeps promote from bringing the image in again: npm run resume lifts it.',
  ].join('\n'),
  flags: {
    to: { type: 'text', value: 'sha', description: 'Go to this tag, which ran before, in place of the last one.' },
    ...deliveryFlags,
  },
  operands: ['service'],
  examples: [
    'npm run rollback -- core-go',
    'npm run rollback -- core-go --to 1df3b1f',
    'npm run rollback -- core-go --push',
  ],
  interrupted: 'What was committed by then is deployed all the same: npm run history shows it.',
  run: runRollback,
};

async function runRollback(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, operands = [] } = invocation;
  const [word = ''] = operands;
  const commitOptions = commitOptionsOf(invocation);
  return deliver(invocation, 'rollback', async (context): Promise<PreparedEdits> => {
    const service = await findService(config.root, word);
    const workspace = await openWorkspace(context, [service], commitOptions);
    const { to } = flags;
    const plan = await planRollback(workspace, service, typeof to === 'string' ? to : undefined);
    if (!plan)
      return {
        workspace,
        edits: [],
        message: '',
        notes: [],
        unchanged: `${word}: at ${to} already. Nothing was changed.`,
      };
    const missing = await noClusterReason(context);
    const image = `${plan.to.repository}:${plan.to.tag}`;
    // What ran before is in the registry, or was: asking would only cost time that somebody is waiting for.
    const there = missing === undefined && commitOptions.commit;
    const notes = there ? await prepareNode(context, new Map([[service.name, image]])) : [];
    return {
      workspace,
      edits: [plan.edit],
      message: plan.message,
      notes: [...notes, `${word} is on hold: npm run resume -- ${word} lets it be promoted again.`],
      unchanged: '',
      ...(missing !== undefined && {
        unfollowed: `Nothing follows it for now: ${missing}. npm run up brings the platform up at the newest commit.`,
      }),
    };
  });
}
