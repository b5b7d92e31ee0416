import { shortGracePeriod } from '../../kubernetes/waiting/deletion.ts';
import { UserError } from '../../lib/errors.ts';
import { servicesNamespace } from '../../repository/applications.ts';
import { cast } from './cast.ts';
import type { Drill } from './drill.ts';
import { servingPods, untilSeen } from './looking.ts';
import { backToGit } from './release.ts';
import { allAnswered, lostOf, underRequests } from './requests.ts';
import { haveTwo, noSecondPod } from './two-pods.ts';

/** Answers in a row after which the service counts as back: the ingress learns of a new pod some seconds later. */
const enough = 10;

/**
 * One of two pods dies without the time to say goodbye. The ingress asks the other one instead, so no request is lost. A
 * single pod could promise nothing about requests: until its successor is ready, nobody answers.
 */
export const podKill: Drill = {
  name: 'pod-kill',
  promise: 'A pod that is killed is replaced, and no request is lost',
  hindrance: (context) => noSecondPod(context, cast.front),

  async run(context) {
    await haveTwo(context, podKill.name, cast.front);
    const before = (await servingPods(context, cast.front)).map(({ metadata }) => metadata.name);
    const [victim] = before;
    if (victim === undefined) throw new UserError(`No pod of ${cast.front} serves.`, { hint: 'npm run status' });
    const { result, answers } = await underRequests(context, async (answers) => {
      const kubectl = await context.kubectl();
      const now = [shortGracePeriod, '--wait=false', '--namespace', servicesNamespace];
      const started = performance.now();
      await kubectl.run(['delete', 'pod', victim, ...now]);
      const replaced = await untilSeen(
        context,
        async () => {
          const serving = (await servingPods(context, cast.front)).filter(({ metadata }) => metadata.name !== victim);
          const some = serving.length >= before.length;
          return some ? undefined : `${serving.length} of ${before.length} pods of ${cast.front} serve`;
        },
        started,
      );
      let lost = answers.lost.length;
      let from = answers.asked;
      await untilSeen(context, async () => {
        if (answers.lost.length > lost) [lost, from] = [answers.lost.length, answers.asked];
        return answers.asked - from >= enough ? undefined : 'requests are still lost';
      });
      return replaced;
    });
    const evidence = `successor of ${victim} ready; ${lostOf(answers)}, while ${before.length - 1} of the pods served`;
    return { held: allAnswered(answers), seconds: result, evidence };
  },

  undo: backToGit,
};
