import type { Context } from '../../images/context.ts';
import { isReady } from '../../kubernetes/workloads.ts';
import { UserError } from '../../lib/errors.ts';
import { type BadRelease, forgetBadRollout, prepareBadImage, releaseBadImage, removeBadImage } from './bad-release.ts';
import { cast } from './cast.ts';
import type { Drill } from './drill.ts';
import { servingPods, untilSeen } from './looking.ts';
import { backToGit, noCommits } from './release.ts';
import { allAnswered, lostOf, underRequests } from './requests.ts';

/** Milliseconds for which the bad release is watched once it is known to be bad. */
const watched = 8000;

/** A commit promotes an image that never gets ready. The rolling update waits for it, and the old pods go on serving. */
export const badImage: Drill = {
  name: 'bad-image',
  promise: 'A bad image is held back, and the old pods go on serving',
  hindrance: noCommits,

  async run(context) {
    await prepareBadImage(context);
    const old = (await servingPods(context, cast.front)).map(({ metadata }) => metadata.name);
    if (old.length === 0) throw new UserError(`No pod of ${cast.front} serves.`, { hint: 'npm run status' });
    const { result, answers } = await underRequests(context, async () => {
      const bad = await releaseBadImage(context, badImage.name);
      const complaint = await watch(context, bad, old);
      return { bad, complaint, seconds: (performance.now() - bad.since) / 1000 };
    });
    const { bad, complaint, seconds } = result;
    const seen = complaint ?? `the new pod is not let in (${bad.reason})`;
    return {
      held: complaint === undefined && allAnswered(answers),
      seconds,
      evidence: `${seen}; ${lostOf(answers)}`,
    };
  },

  async undo(context) {
    await backToGit(context);
    await forgetBadRollout(context);
  },

  tidy: removeBadImage,
};

/** Looks for a while whether all stays so. Hands back what does not, or undefined. */
async function watch(context: Context, bad: BadRelease, old: readonly string[]): Promise<string | undefined> {
  const end = performance.now() + watched;
  let complaint: string | undefined;
  await untilSeen(context, async () => {
    const [pods, serving] = await Promise.all([bad.pods(), servingPods(context, cast.front)]);
    const names = new Set(serving.map(({ metadata }) => metadata.name));
    const gone = old.find((name) => !names.has(name));
    if (gone !== undefined) complaint = `the old pod ${gone} was taken away`;
    if (pods.some(isReady)) complaint = `a pod of ${bad.image} got ready`;
    return complaint !== undefined || performance.now() > end ? undefined : 'the bad release is watched';
  });
  return complaint;
}
