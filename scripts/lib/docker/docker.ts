import { shortened, UsageError, UserError } from '../errors.ts';
import { CommandError, type Exec, type Output } from '../processes/exec.ts';

/** A container as far as we look at it. */
export interface Container {
  state: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  image: string;
  /** When it was started last, by the clock of Docker's machine: milliseconds since 1970. */
  startedAt: number;
  /** Bind mounts, as they were asked for: container path to host path. */
  binds: Map<string, string>;
  /** Published ports: container port, as in '80/tcp', to port of the host. */
  ports: Map<string, number>;
}

interface Inspected {
  State: { Status: Container['state']; StartedAt: string };
  Config: { Image: string };
  HostConfig: { Binds: string[] | null; PortBindings: Record<string, { HostPort: string }[] | null> | null };
}

/** What Docker's client says where nobody answers it. */
const silence = /cannot connect to the docker daemon|error during connect|docker daemon is not running/i;

/** Throws a `UserError` where a command failed because Docker does not answer any more: that is no fault of what it was about. */
export function demandDocker(stderr: string): void {
  if (!silence.test(stderr)) return;
  throw new UserError('Docker does not answer any more.', {
    hint: 'Start it again (npm run doctor says how), then run the command again: it goes on where it stopped.',
  });
}

/** The container of that name, or undefined. Throws a `UsageError` where Docker doesn't answer. */
export async function findContainer(exec: Exec, name: string): Promise<Container | undefined> {
  const shown = await exec(['docker', 'container', 'inspect', name], { nothrow: true, timeout: 30_000 });
  if (shown.exitCode !== 0) {
    if (/no such container/i.test(shown.stderr)) return undefined;
    if (shown.exitCode === 127) throw new UsageError('Docker was not found.', 'npm run doctor says how to get it.');
    const [reason = ''] = shown.stderr.trim().split('\n');
    throw new UsageError(`Docker does not answer: ${reason}`, 'npm run doctor says what to do about it.');
  }
  const [found] = JSON.parse(shown.stdout) as Inspected[];
  if (found === undefined) return undefined;
  const binds = (found.HostConfig.Binds ?? []).map((bind) => {
    const [host = '', inside = ''] = bind.split(':');
    return [inside, host] as const;
  });
  const ports = Object.entries(found.HostConfig.PortBindings ?? {}).map(
    ([inside, outside]) => [inside, Number(outside?.[0]?.HostPort)] as const,
  );
  return {
    state: found.State.Status,
    image: found.Config.Image,
    startedAt: Date.parse(found.State.StartedAt),
    binds: new Map(binds),
    ports: new Map(ports),
  };
}

/**
 * Makes sure that the engine has the image. Hands back whether it had to be pulled. Throws a `UserError` naming image,
 * registry and reason.
 */
export async function ensureImage(exec: Exec, image: string): Promise<boolean> {
  if (await hasImage(exec, image)) return false;
  const pulled = await pulling(image, () => exec(['docker', 'pull', '--quiet', image], { nothrow: true }));
  if (pulled.exitCode === 0) return true;
  demandDocker(pulled.stderr);
  const problem = pullProblem(pulled.stderr);
  throw new UserError(`The image ${image} could not be pulled from ${registryOf(image)}: ${problem}.`, {
    hint: pullHint(image, problem),
  });
}

/** Pulls an image. Throws a `UserError` that tells what to do about a slow line where that takes too long. */
export async function pulling(image: string, pull: () => Promise<Output>): Promise<Output> {
  try {
    return await pull();
  } catch (error) {
    if (!(error instanceof CommandError) || error.timedOut === undefined) throw error;
    throw new UserError(
      `The image ${image} did not come from ${registryOf(image)} within ${error.timedOut / 1000} s.`,
      { hint: slowLine, cause: error },
    );
  }
}

const slowLine =
  'The line may be slow: npm run up -- --timeout 1800 gives it half an hour. What came already is kept, so npm run up alone gets further each time.';

/** What to do about an image that did not come, by the reason that was given. */
export function pullHint(image: string, reason: string): string {
  if (isFull(reason)) return makeRoom;
  const registry = registryOf(image);
  return `Check that this machine reaches ${registry} (docker pull ${image}), then run the command again: it goes on where it stopped.`;
}

/** Whether a program says that the disk is full. */
export function isFull(said: string): boolean {
  return /no space left on device/i.test(said);
}

export const makeRoom =
  'The disk is full: "docker system df" shows what Docker holds, "docker system prune" removes what is unused. Then run the command again.';

/** Whether the engine has the image. Throws a `UserError` where it does not answer. */
export async function hasImage(exec: Exec, image: string): Promise<boolean> {
  const inspect = ['docker', 'image', 'inspect', '--format', '{{.Id}}', image] as const;
  const { exitCode, stderr } = await exec(inspect, { nothrow: true, timeout: 30_000 });
  if (exitCode !== 0) demandDocker(stderr);
  return exitCode === 0;
}

/** The host that an image name points to: the first part if it looks like a host, else Docker Hub. */
export function registryOf(image: string): string {
  const [first = ''] = image.split('/');
  return image.includes('/') && /[.:]|^localhost$/.test(first) ? first : 'docker.io';
}

/** The reason, out of what the engine prints around it. */
function pullProblem(stderr: string): string {
  const lines = stderr
    .trim()
    .split('\n')
    .filter((line) => line.trim() !== '');
  const last = lines.at(-1) ?? 'no reason given';
  return shortened(last.replace(/^Error response from daemon: /, '').replace(/\.$/, ''), 300);
}
