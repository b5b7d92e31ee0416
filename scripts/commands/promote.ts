import { promotionSubject } from '../delivery/promote/changes.ts';
import { architectures, lookUpImages, noClusterReason, prepareNode } from '../delivery/promote/images.ts';
import { assertNotHeldUpstream, imageAfter, planPromotion } from '../delivery/promote/promote.ts';
import { openWorkspace } from '../delivery/promote/workspace.ts';
import type { Context } from '../images/context.ts';
import type { ExitCode } from '../lib/errors.ts';
import type { Progress } from '../lib/terminal/progress.ts';
import { findServices } from '../repository/service-files.ts';
import { type Command, deliveryFlags, type Invocation } from './command.ts';
import { commitOptionsOf, deliver, type PreparedEdits } from './deliver.ts';

export const promoteCommand: Command = {
  description: [
    'Checks that the image exists, and for the processors of the node; without a token, builds stand-ins for it. Then it',
    'edits image.tag in helm/<service>/values.yaml, and nothing else, commits "chore: promote images <sha>", and waits',
    'until that runs. The index has to be clean, and nobody else is swept in: the commit holds these files alone. A',
    'service that was rolled back is on hold, and refused, until npm run resume. docs/promote-workflow.yml is the',
    'workflow that runs it in the platform repository.',
  ].join('\n'),
  flags: {
    ...deliveryFlags,
    force: { type: 'boolean', description: 'Promote over a hold, and remove it.', typedOnly: true },
    'from-ci': {
      type: 'boolean',
      description: 'For GitHub Actions: no cluster, no lock, outputs and a summary for the workflow.',
    },
  },
  operands: ['service|all', 'sha'],
  examples: [
    'npm run promote -- core-go a1b2c3d',
    'npm run promote -- all a1b2c3d --push',
    'npm run promote -- all a1b2c3d --from-ci --push',
  ],
  interrupted: 'What was committed by then is deployed all the same: npm run history shows it.',
  run: runPromote,
};

async function runPromote(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, operands = [] } = invocation;
  const [word = '', tag = ''] = operands;
  const commitOptions = commitOptionsOf(invocation);
  return deliver(invocation, 'promote', async (context, progress): Promise<PreparedEdits> => {
    const services = await findServices(config.root, word);
    const workspace = await openWorkspace(context, services, commitOptions);
    const edits = await planPromotion(config.root, services, { tag, force: flags.force === true });
    await assertNotHeldUpstream(workspace, edits, tag);
    const images = new Map(edits.map((edit) => [edit.service.name, imageAfter(edit)]));
    return {
      workspace,
      edits,
      message: `${promotionSubject} ${tag}`,
      unchanged: `${services.map(({ name }) => name).join(', ')}: at ${tag} already. Nothing was changed.`,
      ...(await prepareImages(context, images, commitOptions.commit, flags['from-ci'] === true, progress)),
    };
  });
}

/** Looks at the images, and has the node of a running cluster know them. */
async function prepareImages(
  context: Context,
  images: ReadonlyMap<string, string>,
  commits: boolean,
  fromCi: boolean,
  progress: Progress,
): Promise<Pick<PreparedEdits, 'notes' | 'unfollowed'>> {
  if (images.size === 0) return { notes: [] };
  const missing = fromCi ? 'this runs in CI' : await noClusterReason(context);
  const there = missing === undefined;
  const { account, notes, facts } = await lookUpImages(context, images, {
    architectures: there ? await architectures(context) : [],
  });
  for (const [image, { platforms }] of facts) progress.note(`${image} is there, for ${platforms.join(' and ')}.`);
  if (there && commits) notes.push(...(await prepareNode(context, images)));
  if (!there && !account) notes.push('Whether the image exists was not looked at: there is no token for it.');
  const unfollowed = fromCi
    ? 'Argo CD of whoever follows this branch takes it from here.'
    : `Nothing follows it for now: ${missing}. npm run up brings the platform up at the newest commit.`;
  return { notes, ...(!there && { unfollowed }) };
}
