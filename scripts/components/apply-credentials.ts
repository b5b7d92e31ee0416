import { cluster } from '../cluster/cluster.ts';
import type { Component } from '../cluster/component.ts';
import type { Context } from '../images/context.ts';
import { createProgress } from '../lib/terminal/progress.ts';
import { applications } from './applications.ts';
import { pullsByItself } from './pulling.ts';
import { repositoryAccess } from './repository-access.ts';
import { serviceImages } from './service-images.ts';
import { services } from './services.ts';

/** What came of it in the cluster. */
export interface Applied {
  changed: string[];
  notes: string[];
  /** Whether the cluster pulls with a secret that the platform did not create, and so has no token of ours. */
  theirs: boolean;
}

/**
 * Lets a running cluster have the account that the context has, or none, and waits until the services run with that.
 * @returns undefined where no cluster runs.
 * @throws UserError where a service doesn't get there.
 */
export async function applyToCluster(context: Context, stream: NodeJS.WriteStream): Promise<Applied | undefined> {
  const { state } = await cluster.status(context);
  if (state !== 'ready') return undefined;
  const progress = await createProgress(stream);
  const account = await context.credentials.account();
  const notes: string[] = [];
  const step = async ({ name, apply }: Component) => {
    const started = performance.now();
    const seconds = () => Math.round(performance.now() - started) / 1000;
    progress.start(name);
    try {
      const { changed, detail, notes: said = [] } = await apply(context);
      progress.done(name, seconds(), detail);
      notes.push(...said);
      return changed;
    } catch (error) {
      progress.failed(name, seconds());
      throw error;
    }
  };
  try {
    const changed = await step(serviceImages);
    if (account && context.config.gitops) changed.push(...(await step(repositoryAccess)));
    if (!account) changed.push(...((await repositoryAccess.remove?.(context)) ?? []));
    // A cluster that was never finished has no services to wait for.
    const deployed = (await applications.status(context)).state !== 'absent';
    if (changed.length > 0 && deployed) changed.push(...(await step(services)));
    return { changed, notes, theirs: await pullsByItself(context) };
  } finally {
    progress.stop();
  }
}
