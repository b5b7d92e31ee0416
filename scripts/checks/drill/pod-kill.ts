import { shortGracePeriod } from '../../kubernetes/waiting/deletion.ts';
import { UserError } from '../../lib/errors.ts';
import { servicesNamespace } from '../../repository/applications.ts';
import { restoreFromGit } from './commits.ts';
import { type Drill, drillServices } from './drill.ts';
import { allAnswered, describeLosses, withRequests } from './requests.ts';
import { readyPods, waitForState } from './service-state.ts';
import { haveTwo, noSecondPod } from './two-pods.ts';

/** Answers in a row after which the service counts as back: the ingress learns of a new pod some seconds later. */
const answersInARow = 10;

/**
 * One of two pods dies without the time to say goodbye. The ingress asks the other one instead, so no request is lost. A
 * single pod could promise nothing about requests: until its successor is ready, nobody answers.
 */
export const podKillDrill: Drill = {
  name: 'pod-kill',
  promise: 'A pod that is killed is replaced, and no request is lost',
  hindrance: (context) => noSecondPod(context, drillServices.front),

  async run(context) {
    await haveTwo(context, podKillDrill.name, drillServices.front);
    const before = (await readyPods(context, drillServices.front)).map(({ metadata }) => metadata.name);
    const [victim] = before;
    if (victim === undefined)
      throw new UserError(`No pod of ${drillServices.front} serves.`, { hint: 'npm run status' });
    const { result, answers } = await withRequests(context, async (answers) => {
      const kubectl = await context.kubectl();
      const now = [shortGracePeriod, '--wait=false', '--namespace', servicesNamespace];
      const started = performance.now();
      await kubectl.run(['delete', 'pod', victim, ...now]);
      const replaced = await waitForState(
        context,
        async () => {
          const serving = (await readyPods(context, drillServices.front)).filter(
            ({ metadata }) => metadata.name !== victim,
          );
          const some = serving.length >= before.length;
          return some ? undefined : `${serving.length} of ${before.length} pods of ${drillServices.front} serve`;
        },
        started,
      );
      let lost = answers.lost.length;
      let from = answers.asked;
      await waitForState(context, async () => {
        if (answers.lost.length > lost) [lost, from] = [answers.lost.length, answers.asked];
        return answers.asked - from >= answersInARow ? undefined : 'requests are still lost';
      });
      return replaced;
    });
    const evidence = `successor of ${victim} ready; ${describeLosses(answers)}, while ${before.length - 1} of the pods served`;
    return { held: allAnswered(answers), seconds: result, evidence };
  },

  undo: restoreFromGit,
};
