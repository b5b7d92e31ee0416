import type { ExitCode } from '../lib/errors.ts';
import { prepareNode, whyNoCluster } from '../promotion/cluster.ts';
import { deliver, deliveryFlags, type Prepared, wishOf } from '../promotion/deliver.ts';
import { openDesk } from '../promotion/desk.ts';
import { planRollback } from '../promotion/rollback.ts';
import { findService } from '../promotion/services.ts';
import type { Command, Invocation } from './command.ts';

export const rollback: Command = {
  name: 'rollback',
  summary: 'Take the last promotion of a service back, and wait until that runs.',
  description: [
    'Finds the commit that brought the image of the service, whoever made it, and takes it back: by git revert, or only',
    "this service's lines where that commit changed more. Run it again to go further back. The same commit puts a hold",
    'into the values file, which keeps promote from bringing the image in again: npm run release lifts it.',
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
  run: runRollback,
};

async function runRollback(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, operands = [] } = invocation;
  const [word = ''] = operands;
  const wish = wishOf(invocation);
  return deliver(invocation, rollback.name, async (context): Promise<Prepared> => {
    const service = await findService(config.root, word);
    const desk = await openDesk(context, [service], wish);
    const { to } = flags;
    const plan = await planRollback(desk, service, typeof to === 'string' ? to : undefined);
    if (!plan)
      return { desk, edits: [], message: '', notes: [], unchanged: `${word}: at ${to} already. Nothing was changed.` };
    const missing = await whyNoCluster(context);
    const image = `${plan.to.repository}:${plan.to.tag}`;
    // What ran before is in the registry, or was: asking would only cost time that somebody is waiting for.
    const there = missing === undefined && wish.commit;
    const notes = there ? await prepareNode(context, new Map([[service.name, image]])) : [];
    return {
      desk,
      edits: [plan.edit],
      message: plan.message,
      notes: [...notes, `${word} is on hold: npm run release -- ${word} lets it be promoted again.`],
      unchanged: '',
      ...(missing !== undefined && {
        unfollowed: `Nothing follows it for now: ${missing}. npm run up brings the platform up at the newest commit.`,
      }),
    };
  });
}
