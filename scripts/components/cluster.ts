import { mkdir, readFile, writeFile } from 'node:fs/promises';
import type { Context } from '../context.ts';
import type { Container } from '../lib/docker.ts';
import { UserError } from '../lib/errors.ts';
import { WaitTimeout, waitUntil } from '../lib/wait.ts';
import { createCluster, deleteCluster, isFinished, shortImage, telling } from './cluster-creation.ts';
import { ownContainer } from './cluster-ownership.ts';
import type { Component, Outcome, Status } from './component.ts';

/** The kind cluster: one node, with the Git folder mounted and the ingress ports published. */
export const cluster: Component = {
  name: 'cluster',
  needs: [],

  async status(context): Promise<Status> {
    const container = await ownContainer(context);
    if (!container) return { state: 'absent', missing: `there is no cluster ${context.config.clusterName}` };
    if (container.state !== 'running')
      return { state: 'unready', missing: `the node container ${context.node} is ${container.state}` };
    const missing = await missingApi(context);
    return missing === undefined
      ? { state: 'ready', detail: detail(context, container) }
      : { state: 'unready', missing };
  },

  async apply(context): Promise<Outcome> {
    const container = await ownContainer(context);
    if (!container) return createCluster(context);
    const woken = await wake(context, container);
    if (!(await isFinished(context))) {
      await deleteCluster(context);
      return { ...(await createCluster(context)), notes: ['The cluster was half created, and was made anew.'] };
    }
    await fetchKubeconfig(context);
    await untilApiAnswers(context);
    const notes = imageDiffers(context, container)
      ? [
          `The cluster runs ${container.image}, the settings ask for ${context.config.nodeImage}: npm run down && npm run up changes it.`,
        ]
      : [];
    return { changed: woken, detail: detail(context, container), notes };
  },
};

/** Starts what is stopped, as after a reboot. Hands back what it did. */
async function wake(context: Context, { state }: Container): Promise<string[]> {
  const verb = state === 'paused' ? 'unpause' : state === 'running' || state === 'restarting' ? undefined : 'start';
  if (verb === undefined) return [];
  const { exitCode, stderr } = await context.exec(['docker', verb, context.node], { nothrow: true });
  if (exitCode !== 0) {
    throw new UserError(`The stopped node container ${context.node} could not be started: ${telling(stderr)}`, {
      hint: 'npm run down && npm run up',
    });
  }
  return [`node container ${context.node} (${verb === 'start' ? 'started' : 'unpaused'})`];
}

/** The private kubeconfig can be had again from the node at any time, so losing it is no harm. */
async function fetchKubeconfig(context: Context): Promise<void> {
  const { path } = await context.toolbox.find('kind');
  const got = await context.exec([path, 'get', 'kubeconfig', '--name', context.config.clusterName], { nothrow: true });
  if (got.exitCode !== 0)
    throw new UserError(`kind can't tell the kubeconfig: ${telling(got.stderr)}`, {
      hint: 'npm run down && npm run up',
    });
  const known = await readFile(context.kubeconfig, 'utf8').catch(() => '');
  if (known === got.stdout) return;
  await mkdir(context.config.stateDir, { recursive: true, mode: 0o700 });
  await writeFile(context.kubeconfig, got.stdout, { mode: 0o600 });
  context.reconnect();
}

/** A stopped node that was started again has its API back within seconds; a minute and a half is for slow disks. */
async function untilApiAnswers(context: Context): Promise<void> {
  try {
    await waitUntil(() => missingApi(context), { timeout: 90_000, signal: context.signal });
  } catch (error) {
    if (!(error instanceof WaitTimeout)) throw error;
    throw new UserError(`Waited 90 s in vain: ${error.missing}.`, { hint: 'npm run down && npm run up' });
  }
}

async function missingApi(context: Context): Promise<string | undefined> {
  try {
    await context.api().text('/readyz');
    return undefined;
  } catch (error) {
    if (context.signal.aborted) throw error;
    return `the API server of ${context.config.clusterName} does not answer`;
  }
}

function imageDiffers({ config }: Context, { image }: Container): boolean {
  return shortImage(image) !== shortImage(config.nodeImage);
}

function detail({ config }: Context, { image }: Container): string {
  return `${config.clusterName}, ${shortImage(image)}`;
}
