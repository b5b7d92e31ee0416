import { noClusterReason, prepareNode } from '../delivery/promote/images.ts';
import { planRollback } from '../delivery/promote/rollback.ts';
import { openWorkspace } from '../delivery/promote/workspace.ts';
import type { ExitCode } from '../lib/errors.ts';
import { findService } from '../repository/service-files.ts';
import type { Invocation } from './command.ts';
import { commitOptionsOf, deliver, type PreparedEdits } from './deliver.ts';

/** Carries out `npm run rollback`. */
export async function runRollback(invocation: Invocation): Promise<ExitCode> {
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
      notes: [...notes, `${word} is on hold: npm run release -- ${word} lets it be promoted again.`],
      unchanged: '',
      ...(missing !== undefined && {
        unfollowed: `Nothing follows it for now: ${missing}. npm run up brings the platform up at the newest commit.`,
      }),
    };
  });
}
