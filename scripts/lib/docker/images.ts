import { isDiskFull, shortened, UserError } from '../errors.ts';
import { CommandError, type Exec, type Output } from '../exec.ts';

/** What Docker's client says where no Docker answers. */
const notResponding =
  /cannot connect to the docker daemon|failed to connect to the docker api|error during connect|docker daemon is not running/i;

/** Throws a `UserError` where a command failed because Docker does not answer any more: that is no fault of what it was about. */
export function assertDockerResponds(stderr: string): void {
  if (!notResponding.test(stderr)) return;
  throw new UserError('Docker does not answer any more.', {
    id: 'docker-not-running',
    hint: 'Start it again (npm run doctor says how), then run the command again: it goes on where it stopped.',
  });
}

/**
 * Makes sure that the engine has the image. Returns whether it had to be pulled. Throws a `UserError` naming image,
 * registry and reason.
 */
export async function ensureImage(exec: Exec, image: string): Promise<boolean> {
  if (await hasImage(exec, image)) return false;
  const pulled = await withPullTimeout(image, () => exec(['docker', 'pull', '--quiet', image], { nothrow: true }));
  if (pulled.exitCode === 0) return true;
  assertDockerResponds(pulled.stderr);
  throw pullError(image, pullProblem(pulled.stderr));
}

/** Pulls an image. Throws a `UserError` that tells what to do about a slow line where that takes too long. */
export async function withPullTimeout(image: string, pull: () => Promise<Output>): Promise<Output> {
  try {
    return await pull();
  } catch (error) {
    if (!(error instanceof CommandError) || error.timedOut === undefined) throw error;
    throw new UserError(
      `The image ${image} did not come from ${registryOf(image)} within ${error.timedOut / 1000} s.`,
      { id: 'image-not-pulled', hint: slowConnectionHint, cause: error },
    );
  }
}

const slowConnectionHint =
  'The line may be slow: npm run up -- --timeout 1800 gives it half an hour. What came already is kept, so npm run up alone gets further each time.';

/** The error for an image that did not come, by the reason that was given. */
export function pullError(image: string, reason: string): UserError {
  const registry = registryOf(image);
  const why = shortened(reason.replace(/\.$/, ''), 300) || 'no reason given';
  const { id, hint } = obstacles.find(({ said }) => said(reason)) ?? {
    id: [],
    hint: `Check that this machine reaches ${registry} (docker pull ${image}), then run the command again: it goes on where it stopped.`,
  };
  return new UserError(`The image ${image} could not be pulled from ${registry}: ${why}.`, {
    id: ['image-not-pulled', ...id],
    hint,
  });
}

export const diskFullHint =
  'The disk is full: "docker system df" shows what Docker holds, "docker system prune" removes what is unused. Then run the command again.';

/** What has a section of its own. Go's net/http says so of a proxy that is not reached, or wants a login. */
const obstacles = [
  { id: ['disk-full'], said: isDiskFull, hint: diskFullHint },
  {
    id: ['proxy'],
    said: (reason: string) => /\bproxyconnect\b|proxy authentication required/i.test(reason),
    hint: 'The proxy is in the way: npm run doctor names it, and the variable that does.',
  },
];

/** Whether the engine has the image. Throws a `UserError` where it does not answer. */
export async function hasImage(exec: Exec, image: string): Promise<boolean> {
  const inspect = ['docker', 'image', 'inspect', '--format', '{{.Id}}', image] as const;
  const { exitCode, stderr } = await exec(inspect, { nothrow: true, timeout: 30_000 });
  if (exitCode !== 0) assertDockerResponds(stderr);
  return exitCode === 0;
}

/** containerd's way of writing a name: Docker Hub's host and its `library/` are spelled out. */
export function fullImageName(image: string): string {
  const [first = ''] = image.split('/');
  if (!image.includes('/')) return `docker.io/library/${image}`;
  return /[.:]|^localhost$/.test(first) ? image : `docker.io/${image}`;
}

/** The host that an image name points to: the first part if it looks like a host, else Docker Hub. */
function registryOf(image: string): string {
  return fullImageName(image).split('/')[0] ?? '';
}

/** The reason, out of what the engine prints around it. */
function pullProblem(stderr: string): string {
  const lines = stderr
    .trim()
    .split('\n')
    .filter((line) => line.trim() !== '');
  return (lines.at(-1) ?? '').replace(/^Error response from daemon: /, '');
}
