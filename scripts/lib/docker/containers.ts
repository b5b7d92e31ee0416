import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted, UsageError, UserError } from '../errors.ts';
import type { Exec } from '../exec.ts';

/** A container as far as we look at it. */
export interface DockerContainer {
  name: string;
  state: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  image: string;
  /** Milliseconds since 1970. */
  createdAt: number;
  /** When it was started last, by the clock of Docker's machine: milliseconds since 1970. */
  startedAt: number;
  /** Names of its volumes that Docker made for it alone. */
  volumes: string[];
  networks: string[];
  /** Bind mounts, as they were asked for: container path to host path. */
  binds: Map<string, string>;
  /** Published ports: container port, as in '80/tcp', to port of the host. */
  ports: Map<string, number>;
}

/** A part of what `docker container inspect` tells; a Docker in its place may tell less. */
interface Inspected {
  Name?: string;
  Created?: string;
  State: { Status: DockerContainer['state']; StartedAt: string };
  Config: { Image: string };
  Mounts?: { Type: string; Name?: string }[] | null;
  HostConfig: { Binds: string[] | null; PortBindings: Record<string, { HostPort: string }[] | null> | null };
  NetworkSettings?: { Networks: Record<string, unknown> | null };
}

const shortQuery = { nothrow: true, timeout: 30_000 };

/** The containers with a label, given as `key` or `key=value`, in any state. Throws where Docker can't tell. */
export async function findContainersByLabel(exec: Exec, label: string): Promise<DockerContainer[]> {
  const listed = await exec(['docker', 'ps', '--all', '--quiet', '--filter', `label=${label}`], { timeout: 30_000 });
  const ids = listed.stdout.split('\n').filter(Boolean);
  if (ids.length === 0) return [];
  const shown = await exec(['docker', 'container', 'inspect', ...ids], shortQuery);
  // One that goes meanwhile is an error for the command, and none for us.
  if (shown.exitCode !== 0 && !isMissing(shown.stderr)) throw silent(shown.stderr);
  return parseContainers(shown.stdout || '[]');
}

function parseContainers(stdout: string): DockerContainer[] {
  return (JSON.parse(stdout) as Inspected[]).map(
    ({ Name = '', Created = '', State, Config, Mounts, HostConfig, NetworkSettings }) => ({
      name: Name.replace(/^\//, ''),
      state: State.Status,
      image: Config.Image,
      createdAt: Date.parse(Created),
      startedAt: Date.parse(State.StartedAt),
      // A name that was chosen is not 64 hexadecimal digits.
      volumes: (Mounts ?? []).flatMap(({ Type, Name = '' }) =>
        Type === 'volume' && /^[0-9a-f]{64}$/.test(Name) ? [Name] : [],
      ),
      networks: Object.keys(NetworkSettings?.Networks ?? {}),
      binds: new Map(
        (HostConfig.Binds ?? []).map((bind) => {
          const [host = '', inside = ''] = bind.split(':');
          return [inside, host] as const;
        }),
      ),
      ports: new Map(
        Object.entries(HostConfig.PortBindings ?? {}).map(
          ([inside, outside]) => [inside, Number(outside?.[0]?.HostPort)] as const,
        ),
      ),
    }),
  );
}

/**
 * Removes containers and the volumes that Docker made for them, in whatever state they are. `timeout` is milliseconds.
 * Throws a `UserError` with Docker's reason for one that stays.
 */
export async function removeContainers(
  exec: Exec,
  names: readonly string[],
  { timeout, signal }: { timeout: number; signal: AbortSignal },
): Promise<void> {
  for (const deadline = performance.now() + timeout; ; ) {
    const { stderr } = await exec(['docker', 'rm', '--force', '--volumes', ...names], { nothrow: true, timeout });
    const left = await findExisting(exec, 'container', names);
    if (left.length === 0) return;
    // Somebody else, or an earlier try that was interrupted, is about to remove it.
    const passing = /already in progress|is dead or marked for removal/i.test(stderr);
    if (!passing || performance.now() > deadline) {
      const reason = stderr.trim().split('\n').at(-1) ?? '';
      throw new UserError(`Docker could not remove ${left.join(', ')}: ${reason}`, {
        id: 'not-removed',
        hint: `docker rm -f -v ${left.join(' ')}, or restart Docker and run the command again.`,
      });
    }
    await sleep(200, undefined, { signal }).catch(() => {});
    if (signal.aborted) throw new Interrupted();
  }
}

/** Which of these Docker has. Throws a `UserError` where it does not answer. */
export async function findExisting(
  exec: Exec,
  kind: 'container' | 'volume' | 'network' | 'image',
  names: readonly string[],
): Promise<string[]> {
  const found = await Promise.all(names.map((name) => dockerQuery(exec, [kind, 'inspect', '--format', 'there', name])));
  return names.filter((_, index) => found[index] !== undefined);
}

/** The names of the containers that a filter of `docker ps` lets through, in any state. */
export async function containerNames(exec: Exec, filter: string): Promise<string[]> {
  const list = ['ps', '--all', '--filter', filter, '--format', '{{.Names}}'];
  return (await exec(['docker', ...list], { timeout: 30_000 })).stdout.split('\n').filter(Boolean);
}

/** Whether Docker says that what it was asked about is not there: not its socket, its host or itself. */
export function isMissing(stderr: string): boolean {
  return /no such (?!file|host)|\b(container|volume|network|image)\b.* not found/i.test(stderr);
}

/**
 * Asks Docker about one thing.
 * @returns what it prints, or undefined where the thing is not there.
 * @throws a `UserError` where Docker does not answer.
 */
export async function dockerQuery(exec: Exec, query: readonly string[]): Promise<string | undefined> {
  const { exitCode, stdout, stderr } = await exec(['docker', ...query], shortQuery);
  if (exitCode === 0) return stdout;
  if (isMissing(stderr)) return undefined;
  throw silent(stderr);
}

/** For a failure that is no answer. */
function silent(stderr: string, Kind = UserError): UserError {
  return new Kind(`Docker does not answer: ${stderr.trim().split('\n')[0]}`, {
    id: 'docker-odd',
    hint: 'npm run doctor says what to do about it.',
  });
}

/** The container of that name, or undefined. Throws a `UsageError` where Docker doesn't answer. */
export async function findContainer(exec: Exec, name: string): Promise<DockerContainer | undefined> {
  const { exitCode, stdout, stderr } = await exec(['docker', 'container', 'inspect', name], shortQuery);
  if (exitCode === 0) return parseContainers(stdout)[0];
  if (isMissing(stderr)) return undefined;
  if (exitCode !== 127) throw silent(stderr, UsageError);
  throw new UsageError('Docker was not found.', { id: 'docker-missing', hint: 'npm run doctor says how to get it.' });
}
