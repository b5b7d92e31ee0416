import type { Context } from '../context.ts';
import type { ExitCode } from '../lib/errors.ts';
import type { Progress } from '../lib/progress.ts';
import { promotionSubject } from '../promotion/changes.ts';
import { architectures, prepareNode, whyNoCluster } from '../promotion/cluster.ts';
import { deliver, deliveryFlags, type Prepared, wishOf } from '../promotion/deliver.ts';
import { openDesk } from '../promotion/desk.ts';
import { lookAtImages } from '../promotion/images.ts';
import { imageOf, planPromotion, refuseHeldElsewhere } from '../promotion/promote.ts';
import { findServices } from '../promotion/services.ts';
import type { Command, Invocation } from './command.ts';

export const promote: Command = {
  name: 'promote',
  summary: 'Give a service, or all of them, the image of a commit, and wait until it runs.',
  description: [
    'Checks that the image exists, and for the processors of the node; without a token, builds stand-ins for it. Then it',
    'edits image.tag in helm/<service>/values.yaml, and nothing else, commits "chore: promote images <sha>", and waits',
    'until that runs. The index has to be clean, and nobody else is swept in: the commit holds these files alone. A',
    'service that was rolled back is on hold, and refused, until npm run release. docs/promote-workflow.yml is the',
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
  run: runPromote,
};

async function runPromote(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, operands = [] } = invocation;
  const [word = '', tag = ''] = operands;
  const wish = wishOf(invocation);
  return deliver(invocation, promote.name, async (context, progress): Promise<Prepared> => {
    const services = await findServices(config.root, word);
    const desk = await openDesk(context, services, wish);
    const edits = await planPromotion(config.root, services, { tag, force: flags.force === true });
    await refuseHeldElsewhere(desk, edits, tag);
    const images = new Map(edits.map((edit) => [edit.service.name, imageOf(edit)]));
    return {
      desk,
      edits,
      message: `${promotionSubject} ${tag}`,
      unchanged: `${services.map(({ name }) => name).join(', ')}: at ${tag} already. Nothing was changed.`,
      ...(await makeReady(context, images, wish.commit, flags['from-ci'] === true, progress)),
    };
  });
}

/** Looks at the images, and has the node of a running cluster know them. */
async function makeReady(
  context: Context,
  images: ReadonlyMap<string, string>,
  commits: boolean,
  fromCi: boolean,
  progress: Progress,
): Promise<Pick<Prepared, 'notes' | 'unfollowed'>> {
  if (images.size === 0) return { notes: [] };
  const missing = fromCi ? 'this runs in CI' : await whyNoCluster(context);
  const there = missing === undefined;
  const { account, notes, facts } = await lookAtImages(context, images, {
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
