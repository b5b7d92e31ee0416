import { applications } from '../components/applications.ts';
import { cluster } from '../components/cluster.ts';
import type { Component } from '../components/component.ts';
import { repositoryAccess } from '../components/repository-access.ts';
import { serviceImages } from '../components/service-images.ts';
import { services } from '../components/services.ts';
import type { Context } from '../context.ts';
import { createProgress } from '../lib/progress.ts';

/**
 * Lets a running cluster have the account that the context has, or none, and waits until the services run with that.
 * Hands back what changed, or undefined where no cluster runs. Throws a `UserError` where a service doesn't get there.
 */
export async function applyToCluster(context: Context, stream: NodeJS.WriteStream): Promise<string[] | undefined> {
  const { state } = await cluster.status(context);
  if (state !== 'ready') return undefined;
  const progress = await createProgress(stream);
  const account = await context.credentials.account();
  const step = async ({ name, apply }: Component) => {
    const started = performance.now();
    const seconds = () => Math.round(performance.now() - started) / 1000;
    progress.start(name);
    try {
      const { changed, detail } = await apply(context);
      progress.done(name, seconds(), detail);
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
    return changed.length > 0 && deployed ? [...changed, ...(await step(services))] : changed;
  } finally {
    progress.stop();
  }
}
