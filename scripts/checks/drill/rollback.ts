import { notReadyReason } from '../../components/applications.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { prepareBadImage, releaseBadImage, removeBadImage, removeBadRollout } from './bad-image.ts';
import { commitRevert, commitsHindrance, deployCommit, liveApplication, restoreFromGit } from './commits.ts';
import { type Drill, drillServices } from './drill.ts';
import { allAnswered, describeLosses, withRequests } from './requests.ts';
import { waitForState } from './service-state.ts';

/** A bad release is under way; the commit that reverts it deploys like any other. */
export const rollbackDrill: Drill = {
  name: 'rollback',
  promise: 'A revert of a bad release restores the service',
  hindrance: commitsHindrance,

  async run(context) {
    await prepareBadImage(context);
    const { result, answers } = await withRequests(context, async () => {
      const bad = await releaseBadImage(context, rollbackDrill.name);
      const revert = await commitRevert(context, bad.commit);
      const started = performance.now();
      await deployCommit(context, rollbackDrill.name, drillServices.front, revert);
      const look = async () => {
        const unfit = notReadyReason(await liveApplication(context, drillServices.front), revert);
        if (unfit !== undefined) return `Application ${drillServices.front} is ${unfit}`;
        const [pod] = await bad.pods();
        return pod && `the bad pod ${pod.metadata.name} is still there`;
      };
      return { revert, bad, seconds: await waitForState(context, look, started) };
    });
    const { revert, bad, seconds } = result;
    const [from, to] = [bad.commit, revert].map(shortSha);
    const evidence = `healthy at ${to}, the revert of ${from}, and its pod is gone; ${describeLosses(answers)}`;
    return { held: allAnswered(answers), seconds, evidence };
  },

  async undo(context) {
    await restoreFromGit(context);
    await removeBadRollout(context);
  },

  tidy: removeBadImage,
};
