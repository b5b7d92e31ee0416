import { basename } from 'node:path';
import type { ClusterContext } from '../kubernetes/context.ts';
import { assertDockerResponds, diskFullHint, fullImageName } from '../lib/docker/images.ts';
import { isDiskFull, messageOf, UserError } from '../lib/errors.ts';
import { CommandError, type Exec, type Output, startProcess } from '../lib/exec.ts';
import { waitUntil } from '../lib/retry.ts';
import { certificatesInput, takeCertificates } from './network.ts';

/** Made in the node with the images, and says whether all are there: cluster/node-images/restore.sh. */
const unpackingMark = '/var/lib/platform-ops-images';

/** What the containerd of a node container can be told about images. It runs long before Kubernetes does. */
export type NodeImages = ReturnType<typeof nodeImages>;

/**
 * Docker streams all images in one archive, in which layers that they share occur once. Of a pipe, sh tells only how its last
 * command ended.
 */
const fromDocker = (option: string) => `node=$1; shift; saved=$(
  { { docker save "$@"; echo $? >&3; } | docker exec -i "$node" ctr --namespace=k8s.io images import ${option}- >&2; } 3>&1
) && exit "$saved"`;
const fromFile = 'exec docker exec -i "$1" ctr --namespace=k8s.io images import - < "$2"';
// Nobody else may read it, here either: docker cp keeps the file's mode. What an interrupted command left there is removed.
const intoFile = 'umask 077; rm -f "$(dirname "$1")"/.*.part; exec ctr --namespace=k8s.io images export "$1" "$2"';

/** A layer on top of one that is not there yet would be unpacked wrongly. */
const answers = `ctr version > /dev/null && ! grep -qs unpacking ${unpackingMark}`;

interface NodeImagesOptions {
  /** Milliseconds that containerd may take to start. */
  timeout: number;
  /** Whether images are only passed on, and never run there: then they are not unpacked, which takes rights and time. */
  onlyHold?: boolean;
  /** What a pull needs to reach its registry: `containerVariables`. */
  variables?: () => Readonly<Record<string, string>>;
}

/** The images of a container in which containerd runs. */
export function nodeImages(
  exec: Exec,
  node: string,
  signal: AbortSignal,
  { timeout, onlyHold = false, variables = () => ({}) }: NodeImagesOptions,
) {
  const ctr = (...args: string[]) => ['docker', 'exec', node, 'ctr', '--namespace=k8s.io', ...args] as const;
  return {
    /** Waits until containerd answers, and has what it was given unpacked. Throws a `UserError` where that takes too long. */
    async waitForContainerd(): Promise<void> {
      const asked = async () => {
        const { exitCode, stderr } = await exec(['docker', 'exec', node, 'sh', '-c', answers], { nothrow: true });
        assertDockerResponds(stderr);
        return exitCode === 0 ? undefined : `containerd does not run in the node container ${node}`;
      };
      const missing = await waitUntil(asked, { timeout, signal, every: 1000 });
      if (missing !== undefined) throw new UserError(`${missing}.`, { hint: `docker logs ${node}` });
    },
    /** Every name under which the node has an image, with the image's digest. */
    async list(): Promise<Map<string, string>> {
      const { stdout } = await exec(ctr('images', 'list'), { timeout: 60_000 });
      const rows = stdout.split('\n').slice(1);
      const cells = rows.map((row) => row.split(/\s+/));
      return new Map(cells.flatMap(([name, , digest]) => (name && digest ? [[name, digest] as const] : [])));
    },
    /** Has the node pull an image by itself. Returns how that ended. */
    pull(image: string): Promise<Output> {
      const how = onlyHold ? ['content', 'fetch'] : ['images', 'pull'];
      const from = ['--hosts-dir', '/etc/containerd/certs.d', fullImageName(image)];
      // By name: Docker takes the values from its own environment, so that a password is no argument.
      const env = variables();
      const named = Object.keys(env).map((name) => `--env=${name}`);
      const command = ['docker', 'exec', ...named, node, 'ctr', '--namespace=k8s.io', ...how, ...from] as const;
      return exec(command, { nothrow: true, env });
    },
    /** Copies images that Docker has into the node. Throws a `UserError` with the reason. */
    async importFromDocker(names: readonly string[]): Promise<void> {
      try {
        await exec(['sh', '-c', fromDocker(onlyHold ? '--no-unpack ' : ''), 'import', node, ...names]);
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        const { stderr } = error.output;
        assertDockerResponds(stderr);
        const reason = stderr.trim().split('\n').at(-1) || messageOf(error);
        throw new UserError(`The images ${names.join(', ')} could not be copied into the node ${node}: ${reason}`, {
          id: 'image-not-copied',
          hint: isDiskFull(stderr) ? diskFullHint : `docker logs ${node} may tell why; npm run up tries again.`,
          cause: error,
        });
      }
    },
    /** Reads an archive of images into the node. Returns how that ended. */
    importArchive: (file: string) => exec(['sh', '-c', fromFile, 'import', node, file], { nothrow: true }),
    /** Writes an image, compressed as it came, into a file of this machine. Throws `CommandError`. */
    async exportArchive(image: string, file: string): Promise<void> {
      // By way of a file there: from the output of `docker exec` the end is lost where this machine is too busy to read it at
      // once (moby issue 45689; 6 of 11 archives at a load of 15).
      const archive = `/var/lib/${basename(file)}`;
      try {
        await exec(['docker', 'exec', node, 'sh', '-c', intoFile, 'export', archive, fullImageName(image)]);
        await exec(['docker', 'cp', `${node}:${archive}`, file]);
      } finally {
        await exec(['docker', 'exec', node, 'rm', '-f', archive], { nothrow: true });
      }
    },
    /** Gives an image another name. */
    tag: (source: string, target: string) =>
      exec(ctr('images', 'tag', '--force', fullImageName(source), fullImageName(target))),
  };
}

/**
 * What runs in the container: containerd, until standard input ends. That happens when we do, however we end, so the
 * container never outlives us.
 */
const untilInputEnds = `${takeCertificates}; containerd > /dev/null 2>&1 & read -r line; kill $!; wait`;

/**
 * Runs a container of the node image in which nothing but containerd runs, which pulls and exports images as a node does,
 * while `work` is done with the container's name. It is gone afterwards, with all that it held. Throws what `work` throws.
 */
export async function withContainerd<T>(context: ClusterContext, work: (container: string) => Promise<T>): Promise<T> {
  const { config, signal } = context;
  const container = `${config.clusterName}-prefetch`;
  // Unlike a node it needs no privilege: what is fetched stays packed. It reaches registries as this machine does.
  const options = ['--rm', '--interactive', '--network', 'host', '--volume', '/var', '--name', container];
  const entry = ['--entrypoint', 'bash', config.nodeImage, '-c', untilInputEnds];
  const command = ['docker', 'run', ...options, ...entry];
  const { child } = await startProcess(command, { env: config.childEnv.tool, signal });
  child.stdin.on('error', () => {});
  child.stdin.write(certificatesInput(config.network));
  try {
    return await work(container);
  } finally {
    child.stdin.end();
    await child;
  }
}
