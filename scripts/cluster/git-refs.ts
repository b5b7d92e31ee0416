import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Context } from '../images/context.ts';
import { nodeContainer } from '../kubernetes/explain/runtime.ts';
import { type CleanupItem, folderItems } from '../lib/cleanup.ts';
import { type DockerContainer, dockerQuery } from '../lib/docker/containers.ts';
import { assertDockerResponds } from '../lib/docker/images.ts';
import { UserError } from '../lib/errors.ts';
import { writeWhole } from '../lib/files.ts';

/** Where the node sees what a fetch needs of the checkout's Git folder: copies of files, and in it the folders below. */
export const gitMount = '/platform-ops/git';
const objectsMount = `${gitMount}/objects`;

/**
 * Where the node sees a store that the clone borrows objects from. By a hash of its path: which stores there are may change,
 * and a node keeps the mounts that it was created with.
 */
export function borrowedMount(store: string): string {
  return `${gitMount}/borrowed-${createHash('sha256').update(store).digest('hex').slice(0, 12)}`;
}

/** Every container of a cluster of kind bears it, with the cluster's name: kind deletes those with it. */
export const clusterLabel = 'io.x-k8s.kind.cluster';

/** The container beside the node that reads HEAD, packed-refs and shallow, and writes them where the node sees them. */
export function refsContainer({ config }: Pick<Context, 'config'>): string {
  return `${config.clusterName}-git`;
}

/** Where it writes them. In the Git folder, which every worktree shares, and which nothing cleans. */
export function refsFolder({ config }: Pick<Context, 'config'>, commonDir: string): string {
  return join(commonDir, 'platform-ops', config.clusterName);
}

/** The Git folder that a node was made for, if any; the node of an earlier version sees the whole of it. */
export function mountedGitFolder({ binds }: Pick<DockerContainer, 'binds'>): string | undefined {
  const objects = binds.get(objectsMount);
  return objects === undefined ? binds.get(gitMount) : dirname(objects);
}

/**
 * Whether a node was made for this Git folder when it was elsewhere: what `up` put into it has come along, and there is no
 * repository where it was. Docker may have made empty folders there.
 */
export function wasMovedFrom(context: Context, mounted: string, commonDir: string): boolean {
  return existsSync(join(refsFolder(context, commonDir), 'config')) && !existsSync(join(mounted, 'HEAD'));
}

/** Whether the node sees no more than a fetch needs. */
export function isNarrow({ binds }: Pick<DockerContainer, 'binds'>): boolean {
  return binds.has(objectsMount);
}

/**
 * Prepares what a new node sees of the Git folder.
 * @returns the mounts, as kind's configuration has them. Git changes these folders only inside; HEAD and packed-refs it
 * replaces, so that a mount of the file would go on showing the old one.
 */
export async function gitMounts(context: Context) {
  const { commonDir, borrows } = await context.checkout();
  const shown = refsFolder(context, commonDir);
  const mounts = [
    ...['objects', 'refs'].map((name) => [join(commonDir, name), `${gitMount}/${name}`] as const),
    ...borrows.map((store) => [store, borrowedMount(store)] as const),
  ];
  for (const [, path] of mounts) await mkdir(join(shown, path.slice(gitMount.length)), { recursive: true });
  // Whatever the umask is: another user may read them in the cluster.
  await chmod(shown, 0o755);
  writeWhole(join(shown, 'config'), '[core]\n\tbare = true\n\trepositoryFormatVersion = 0\n', { mode: 0o644 });
  return [[shown, gitMount] as const, ...mounts].map(([hostPath, containerPath]) => ({
    ...{ hostPath, containerPath },
    readOnly: true,
  }));
}

/**
 * Starts the container that follows HEAD and packed-refs, unless it runs.
 * @returns what it created.
 * @throws UserError with Docker's reason.
 */
export async function followRefs(context: Context): Promise<string[]> {
  const { config, exec } = context;
  const name = refsContainer(context);
  if ((await exec(['docker', 'start', name], { nothrow: true })).exitCode === 0) return [];
  const { commonDir } = await context.checkout();
  await exec(['docker', 'rm', '--force', name], { nothrow: true });
  const script = await readFile(join(config.root, 'cluster', 'git-refs.sh'), 'utf8');
  // It reads what only its owner may read, and writes into a folder of theirs: as root that needs this one capability.
  const rights = ['--network=none', '--read-only', '--cap-drop=ALL', '--cap-add=DAC_OVERRIDE'];
  const security = ['--security-opt=no-new-privileges', '--security-opt=label=disable'];
  // systemd's signal to stop, which the image names, is none to bash.
  const life = ['--restart=unless-stopped', '--stop-signal=KILL'];
  const mounts = [`--volume=${commonDir}:/git:ro`, `--volume=${refsFolder(context, commonDir)}:/refs`];
  const run = ['--detach', `--name=${name}`, `--label=${clusterLabel}=${config.clusterName}`, '--pull=never'];
  const program = ['--entrypoint=bash', config.nodeImage, '-c', script];
  const command = ['docker', 'run', ...run, ...life, ...rights, ...security, ...mounts, ...program] as const;
  const { exitCode, stderr } = await exec(command, { nothrow: true });
  if (exitCode === 0) return [`container ${name}`];
  assertDockerResponds(stderr);
  throw new UserError(`The container ${name}, which follows the clone's HEAD, could not be started: ${stderr.trim()}`, {
    id: 'node-not-started',
    hint: 'npm run up tries again; npm run down && npm run up starts afresh.',
  });
}

/** Says what keeps a checkout of another branch from being deployed, or undefined. */
export async function missingRefs(context: Context): Promise<string | undefined> {
  const name = refsContainer(context);
  const state = (
    await dockerQuery(context.exec, ['container', 'inspect', '--format', '{{.State.Status}}', name])
  )?.trim();
  if (state === 'running') return undefined;
  const node = await nodeContainer(context);
  if (!node || !isNarrow(node)) return undefined;
  return `the container ${name}, which follows the clone's HEAD, is ${state ?? 'gone'}`;
}

/** What lies in the Git folder for this cluster; nothing where there is no Git folder. */
export async function refsItems(context: Context): Promise<CleanupItem[]> {
  const commonDir = await context.checkout().then(
    (checkout) => checkout.commonDir,
    (error: unknown) => {
      if (error instanceof UserError) return undefined;
      throw error;
    },
  );
  if (commonDir === undefined) return [];
  const folder = refsFolder(context, commonDir);
  return folderItems(folder, `what the node saw of .git (${folder.slice(dirname(commonDir).length + 1)})`).map(
    (item) => ({
      ...item,
      async remove() {
        await item.remove?.();
        // Others have theirs in it.
        await rmdir(dirname(folder)).catch(() => {});
      },
    }),
  );
}
