import { existsSync, readFileSync } from 'node:fs';
import type { Context } from '../../images/context.ts';
import { missingApi, untilApiAnswers } from '../../kubernetes/api/api-answers.ts';
import { UsageError } from '../../lib/errors.ts';
import type { Cluster } from '../cluster.ts';
import type { Outcome, Status } from '../component.ts';
import { serverIn, takeLogin } from './kubeconfig.ts';
import { isOurs, type Mark, readMark } from './mark.ts';

/**
 * A cluster that somebody else made and runs, named by TARGET_CONTEXT. Of it nothing is made, started, stopped or deleted
 * here; whether the platform may be in it, a mark in it says, which `npm run up` leaves there once somebody agreed.
 */
export const existingCluster: Cluster = {
  async presence(context) {
    await loggedIn(context);
    const mark = await readMark(context);
    if (mark) refuseOther(context, mark);
    return mark && 'running';
  },

  async reach(context) {
    await takeLogin(context);
    await untilApiAnswers(context);
  },

  async status(context): Promise<Status> {
    await loggedIn(context);
    const missing = await missingApi(context);
    if (missing !== undefined) return { state: 'unready', missing };
    const mark = await readMark(context);
    if (!mark)
      return { state: 'absent', missing: `the platform is not in the cluster of the context ${context.kubeContext}` };
    refuseOther(context, mark);
    return { state: 'ready', detail: detail(context) };
  },

  async apply(context): Promise<Outcome> {
    await untilApiAnswers(context);
    const mark = await readMark(context);
    if (!isOurs(context, mark)) throw new Error('nothing may be applied where nobody agreed to it');
    return { changed: [], detail: detail(context) };
  },
};

/** Where the private kubeconfig is gone, its content can be had again at any time. */
async function loggedIn(context: Context): Promise<void> {
  if (!existsSync(context.kubeconfig)) await takeLogin(context);
}

function refuseOther(context: Context, mark: Mark): void {
  if (isOurs(context, mark)) return;
  throw new UsageError(
    `The platform in the cluster of the context ${context.kubeContext} follows ${mark.repository}, the settings say ${context.config.gitops?.repoUrl}.`,
    'Set GITOPS_REPO_URL back, or take that platform away first: npm run down, with the GITOPS_REPO_URL that it has.',
  );
}

function detail({ kubeconfig, kubeContext }: Context): string {
  return `${kubeContext}, ${serverIn(readFileSync(kubeconfig, 'utf8'))}`;
}
