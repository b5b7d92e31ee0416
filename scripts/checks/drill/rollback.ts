import { notReadyReason } from '../../components/applications.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { forgetBadRollout, prepareBadImage, releaseBadImage, removeBadImage } from './bad-release.ts';
import { cast } from './cast.ts';
import type { Drill } from './drill.ts';
import { untilSeen } from './looking.ts';
import { applicationOf, backToGit, noCommits, release, revertOf } from './release.ts';
import { allAnswered, lostOf, underRequests } from './requests.ts';

/** A bad release is under way; the commit that reverts it deploys like any other. */
export const rollback: Drill = {
  name: 'rollback',
  promise: 'A revert of a bad release restores the service',
  hindrance: noCommits,

  async run(context) {
    await prepareBadImage(context);
    const { result, answers } = await underRequests(context, async () => {
      const bad = await releaseBadImage(context, rollback.name);
      const revert = await revertOf(context, bad.commit);
      const started = performance.now();
      await release(context, rollback.name, cast.front, revert);
      const look = async () => {
        const unfit = notReadyReason(await applicationOf(context, cast.front), revert);
        if (unfit !== undefined) return `Application ${cast.front} is ${unfit}`;
        const [pod] = await bad.pods();
        return pod && `the bad pod ${pod.metadata.name} is still there`;
      };
      return { revert, bad, seconds: await untilSeen(context, look, started) };
    });
    const { revert, bad, seconds } = result;
    const [from, to] = [bad.commit, revert].map(shortSha);
    const evidence = `healthy at ${to}, the revert of ${from}, and its pod is gone; ${lostOf(answers)}`;
    return { held: allAnswered(answers), seconds, evidence };
  },

  async undo(context) {
    await backToGit(context);
    await forgetBadRollout(context);
  },

  tidy: removeBadImage,
};
