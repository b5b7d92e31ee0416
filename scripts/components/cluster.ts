import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import type { Context } from '../context.ts';
import { type Container, findContainer } from '../lib/docker.ts';
import { UsageError, UserError } from '../lib/errors.ts';
import { CommandError } from '../lib/exec.ts';
import { toReadableYaml } from '../lib/objects.ts';
import { WaitTimeout, waitUntil } from '../lib/wait.ts';
import { missingOf, type Workload } from '../lib/workloads.ts';
import type { Component, Outcome, Status } from './component.ts';
import { untilReady } from './until-ready.ts';

/** Where the node sees the checkout's Git folder. That mount is also how a cluster is known as this checkout's. */
const gitMount = '/platform-ops/git';

/** Made in the node once the cluster is finished: one without it was interrupted half-way, and is made anew. */
const finishedMark = '/kind/platform-ops-finished';

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
    if (!container) return create(context);
    const woken = await wake(context, container);
    if (!(await isFinished(context))) {
      await deleteCluster(context);
      return { ...(await create(context)), notes: ['The cluster was half created, and was made anew.'] };
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

/** The container of the cluster's node, whoever made it, or undefined. Throws a `UserError` where Docker can't tell. */
export function nodeContainer({ exec, node }: Context): Promise<Container | undefined> {
  return findContainer(exec, node);
}

/** The same, but throws a `UsageError` where a cluster of that name belongs to somebody else. */
export async function ownContainer(context: Context): Promise<Container | undefined> {
  const container = await nodeContainer(context);
  if (!container) return undefined;
  const mounted = container.binds.get(gitMount);
  const { commonDir } = await context.checkout();
  if (mounted === commonDir) return container;
  const owner =
    mounted === undefined ? 'was not made by platform-ops' : `was made from another checkout (${dirname(mounted)})`;
  throw new UsageError(
    `The cluster ${context.config.clusterName} ${owner}.`,
    'Choose another CLUSTER_NAME in .env, with its own HTTP_PORT and HTTPS_PORT.',
  );
}

/** Throws a `UsageError` where the cluster publishes other ports than the settings ask for. */
export function checkPorts({ config }: Context, { ports }: Container): void {
  const [http, https] = [ports.get('80/tcp'), ports.get('443/tcp')];
  if (http === config.ports.http && https === config.ports.https) return;
  throw new UsageError(
    `The cluster ${config.clusterName} publishes the ports ${http} and ${https}, the settings say ${config.ports.http} and ${config.ports.https}.`,
    'A cluster keeps the ports that it was created with: set HTTP_PORT and HTTPS_PORT back, or npm run down && npm run up.',
  );
}

/** Deletes the cluster through kind, whatever state it is in. Throws a `UserError` with kind's reason. */
export async function deleteCluster(context: Context): Promise<void> {
  const { path } = await context.toolbox.find('kind');
  context.reconnect();
  try {
    await context.exec([
      path,
      'delete',
      'cluster',
      '--name',
      context.config.clusterName,
      '--kubeconfig',
      context.kubeconfig,
    ]);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new UserError(`kind could not delete the cluster: ${telling(error.output.stderr)}`, {
      hint: `docker rm -f -v ${context.node}`,
      cause: error,
    });
  }
  await rm(context.config.stateDir, { recursive: true, force: true });
}

async function create(context: Context): Promise<Outcome> {
  const { config, exec, kubeconfig } = context;
  const { path } = await context.toolbox.find('kind');
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 });
  await chmod(config.stateDir, 0o700);
  const input = await kindConfig(context);
  // kind would pull it, too, but without saying what went wrong.
  await context.images.pull(config.nodeImage);
  try {
    await exec(
      [
        path,
        'create',
        'cluster',
        '--name',
        config.clusterName,
        '--image',
        config.nodeImage,
        '--kubeconfig',
        kubeconfig,
        '--config',
        '-',
        '--quiet',
      ],
      { input },
    );
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new UserError(`kind could not create the cluster ${config.clusterName}: ${telling(error.output.stderr)}`, {
      hint: 'npm run doctor looks for the usual causes; npm run up tries again.',
      cause: error,
    });
  }
  context.reconnect();
  await untilReady(context, { objects: [], look: () => missingNetwork(context), hint: 'npm run down && npm run up' });
  await exec(['docker', 'exec', context.node, 'touch', finishedMark]);
  return {
    changed: [`cluster ${config.clusterName}`],
    detail: `${config.clusterName}, ${shortImage(config.nodeImage)}`,
  };
}

async function kindConfig(context: Context): Promise<string> {
  const { root, ports } = context.config;
  const { commonDir } = await context.checkout();
  const config = parse(await readFile(join(root, 'cluster', 'kind.yaml'), 'utf8')) as {
    name?: string;
    nodes: {
      extraPortMappings: { containerPort: number; hostPort: number }[];
      extraMounts: { hostPath: string; containerPath: string }[];
    }[];
  };
  config.name = context.config.clusterName;
  for (const node of config.nodes) {
    for (const mapping of node.extraPortMappings)
      mapping.hostPort = mapping.containerPort === 80 ? ports.http : ports.https;
    for (const mount of node.extraMounts) if (mount.containerPath === gitMount) mount.hostPath = commonDir;
  }
  return toReadableYaml(config);
}

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

/**
 * kind is done before the node's network is. A pod that starts in between can't reach the API server's address, dies,
 * and is started again only after a pause; so nothing is installed before.
 */
async function missingNetwork(context: Context): Promise<string | undefined> {
  const daemons = (await context.view().list<Workload>('apps/v1', 'DaemonSet')).filter(
    ({ metadata }) => metadata.namespace === 'kube-system',
  );
  if (daemons.length === 0) return 'kube-proxy is not there yet';
  return daemons.map((daemon) => missingOf(daemon)).find((missing) => missing !== undefined);
}

async function isFinished({ exec, node }: Context): Promise<boolean> {
  return (await exec(['docker', 'exec', node, 'test', '-e', finishedMark], { nothrow: true })).exitCode === 0;
}

function imageDiffers({ config }: Context, { image }: Container): boolean {
  return shortImage(image) !== shortImage(config.nodeImage);
}

function shortImage(image: string): string {
  return image.replace(/@sha256:.*$/, '');
}

function detail({ config }: Context, { image }: Container): string {
  return `${config.clusterName}, ${shortImage(image)}`;
}

/** The line that carries the reason: tools end with a summary, or with advice about their own flags. */
function telling(output: string): string {
  const lines = output.trim().split('\n');
  const error =
    lines.find((line) => /error response from daemon/i.test(line)) ?? lines.find((line) => /\berror\b/i.test(line));
  return error ?? lines.at(-1) ?? '';
}
