import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../../../lib/errors.ts';
import type { Output } from '../../../lib/exec.ts';
import type { Tools } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';

/** Runs promtool on files below `folder`, and hands back what it says, whatever its exit code. */
export type Promtool = (folder: string, args: readonly string[]) => Promise<Output>;

/**
 * The tool of this machine, or the one in the image that the manifests run, where Docker has or gets it. Throws the
 * toolbox's `UsageError` where it is neither.
 */
export async function findPromtool(repository: Repository, tools: Tools): Promise<Promtool> {
  const options = { nothrow: true, timeout: 60_000 };
  try {
    const { path } = await tools.find('promtool');
    return (_folder, args) => tools.exec([path, ...args], options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const image = await prometheusImage(repository);
    const docker = (...args: string[]) => tools.exec(['docker', ...args], options);
    if (image === undefined || (await docker('run', '--rm', '--entrypoint', 'promtool', image, '--version')).exitCode) {
      throw error;
    }
    // The same path inside as outside, so that what promtool says of a file is true out here.
    return (folder, args) => {
      const mount = ['--volume', `${folder}:${folder}:ro`, '--network', 'none'];
      return docker('run', '--rm', ...mount, '--entrypoint', 'promtool', image, ...args);
    };
  }
}

/** Gives `work` a folder that promtool may read and that is gone afterwards. */
export async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'platform-ops-promtool-'));
  try {
    // In a container promtool is nobody, and there is nothing in here that isn't in Git.
    await chmod(folder, 0o755);
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function prometheusImage(repository: Repository): Promise<string | undefined> {
  for (const { object } of await repository.manifests()) {
    const { spec } = object as { spec?: { template?: { spec?: { containers?: { image?: string }[] } } } };
    const image = spec?.template?.spec?.containers?.find((each) => /\/prometheus:/.test(each.image ?? ''))?.image;
    if (image !== undefined) return image;
  }
  return undefined;
}
