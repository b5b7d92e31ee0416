import type { Context } from '../images/context.ts';
import type { Pod, Workload } from '../kubernetes/types.ts';
import { isReady, isStaying } from '../kubernetes/workloads.ts';
import { UserError } from '../lib/errors.ts';

/** How a shell is had in a pod. */
export interface ShellTarget {
  pod: Pod;
  /** The container of the pod that it is about. */
  container: string;
  /** The image of a debug container that is put beside it, or undefined where it has a shell of its own. */
  image: string | undefined;
}

/** What kubectl says of an image that has no such program. */
const noSuchProgram = /executable file not found|no such file or directory|not found in \$PATH/i;

/**
 * The pod of the workload that runs best, and whether its container has a shell. With `debug`, a debug container is chosen
 * in any case. Throws a `UserError` where no container runs.
 */
export async function findShell(context: Context, workload: Workload, debug: boolean): Promise<ShellTarget> {
  const pods = await context.view().podsOf(workload);
  const running = pods.filter(({ status }) => status.containerStatuses?.some(({ state }) => state.running));
  const pod = running.find(isStaying) ?? running.find(isReady) ?? running[0];
  const { name } = workload.metadata;
  if (!pod)
    throw new UserError(`No pod of ${name} runs.`, { hint: `npm run logs -- ${name} shows what it said last.` });
  const container = pod.spec.containers[0]?.name ?? '';
  const image = debug || !(await hasShell(context, pod, container)) ? await debugImage(context) : undefined;
  return { pod, container, image };
}

async function hasShell(context: Context, pod: Pod, container: string): Promise<boolean> {
  const kubectl = await context.kubectl();
  const { exitCode, stderr } = await kubectl.run(
    ['exec', ...podArguments(pod), `--container=${container}`, '--', 'sh', '-c', 'exit 0'],
    { nothrow: true, timeout: 30_000 },
  );
  if (exitCode === 0) return true;
  if (exitCode === 126 || exitCode === 127 || noSuchProgram.test(stderr)) return false;
  throw new UserError(`No command can be run in ${pod.metadata.name}: ${stderr.trim().split('\n').at(-1)}`, {
    hint: 'npm run status says what state it is in.',
  });
}

/** Redis as Argo CD brings it is built on Alpine: an image with a shell, wget and nslookup that the node has anyway. */
const debugImageSource = { namespace: 'argocd', name: 'argocd-redis' };

async function debugImage(context: Context): Promise<string> {
  const all = await context.view().list<Workload>('apps/v1', 'Deployment');
  const redis = all.find(
    ({ metadata }) => metadata.name === debugImageSource.name && metadata.namespace === debugImageSource.namespace,
  );
  const image = redis?.spec.template.spec.containers[0]?.image;
  if (image !== undefined) return image;
  throw new UserError('There is no image on the node to look around with: that of argocd-redis serves as one.', {
    hint: 'npm run up brings Argo CD back.',
  });
}

/** The arguments of kubectl that open it; with a command, that runs in place of a shell with a terminal. */
export function shellArguments({ pod, container, image }: ShellTarget, command: string | undefined): string[] {
  const program = command === undefined ? ['sh'] : ['sh', '-c', command];
  const terminal = command === undefined ? ['--stdin', '--tty'] : [];
  if (image === undefined)
    return ['exec', ...podArguments(pod), `--container=${container}`, ...terminal, '--', ...program];
  return [
    'debug',
    ...podArguments(pod),
    `--image=${image}`,
    // Never from a registry: what the node has is what was looked for.
    '--image-pull-policy=Never',
    `--target=${container}`,
    // As the pod itself: no root, no capabilities, no way to get any.
    '--profile=restricted',
    ...(command === undefined ? terminal : ['--stdin']),
    '--',
    ...(command === undefined ? program : ['sh', '-c', 'read -r _; exec sh -c "$0" < /dev/null', command]),
  ];
}

/**
 * What `shellArguments` want on standard input. A debug container runs before kubectl is attached to it, and what it said by
 * then is lost: so its command waits for a line, which reaches it only through that connection.
 *
 * @returns undefined where our own standard input is wanted.
 */
export function shellInput({ image }: ShellTarget, command: string | undefined): string | undefined {
  return image !== undefined && command !== undefined ? '\n' : undefined;
}

function podArguments({ metadata }: Pod): string[] {
  return [`--namespace=${metadata.namespace}`, metadata.name];
}
