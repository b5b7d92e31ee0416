import { prepareNode, whyNoCluster } from '../delivery/promote/cluster.ts';
import { openDesk } from '../delivery/promote/desk.ts';
import { planRollback } from '../delivery/promote/rollback.ts';
import type { ExitCode } from '../lib/errors.ts';
import { findService } from '../repository/service-files.ts';
import type { Invocation } from './command.ts';
import { deliver, type Prepared, wishOf } from './deliver.ts';

/** Carries out `npm run rollback`. */
export async function runRollback(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, operands = [] } = invocation;
  const [word = ''] = operands;
  const wish = wishOf(invocation);
  return deliver(invocation, 'rollback', async (context): Promise<Prepared> => {
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
