import { unfitness } from '../components/applications.ts';
import { untilReady } from '../components/until-ready.ts';
import type { Context } from '../context.ts';
import type { Progress } from '../lib/progress.ts';
import type { Application } from '../services.ts';
import type { Receipt } from './receipt.ts';

export interface FollowOptions {
  /** The full SHA of the commit. */
  commit: string;
  /** Those that are waited for; all where none are named. */
  applications?: readonly string[];
  progress: Progress;
}

/**
 * Has Argo CD look at once, waits until the commit runs in every Application, and hands back what became of it in each.
 * Throws a `UserError` with the reason where it can't be rendered, rolls out badly, or takes longer than the context allows.
 */
export async function followCommit(context: Context, { commit, applications }: FollowOptions): Promise<Receipt[]> {
  const found = async () => {
    const all = await context.view().list<Application>('argoproj.io/v1alpha1', 'Application');
    return all.filter(({ metadata }) => applications?.includes(metadata.name) ?? true);
  };
  const look = async () => {
    for (const application of await found()) {
      const unfit = unfitness(application, commit);
      if (unfit !== undefined) return `Application ${application.metadata.name} is ${unfit}`;
    }
    return undefined;
  };
  await untilReady(context, { objects: [], look });
  const { subject } = await context.checkout('fresh');
  return (await found()).map(({ metadata, status }) => ({
    application: metadata.name,
    commit,
    subject,
    revision: status?.sync?.revision ?? commit,
    changed: status?.operationState?.syncResult?.revision === commit,
    objects: [],
    files: [],
    pods: [],
    seconds: {},
  }));
}
