import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../errors.ts';
import type { Exec } from '../processes/exec.ts';

export interface Aside {
  /** The commit that it stands on. */
  parent: string;
  message: string;
  /** The files that differ, counted from the top folder, with their new text. */
  files?: ReadonlyMap<string, string>;
  /** The commit whose files it has otherwise. Default: the parent. */
  like?: string;
}

/** Nobody's name: the commit is the program's. */
const author = { NAME: 'platform-ops', EMAIL: 'platform-ops@localhost' };
const identity = Object.fromEntries(
  ['AUTHOR', 'COMMITTER'].flatMap((role) =>
    Object.entries(author).map(([key, value]) => [`GIT_${role}_${key}`, value]),
  ),
);

/** An index that is split, or watched, leaves files and processes behind beside the one that it is meant to be. */
const alone = ['-c', 'core.splitIndex=false', '-c', 'core.fsmonitor=false'];

/**
 * Makes a commit that no branch, tag or HEAD knows of, and hands back its SHA. Only objects are written: the working tree,
 * the index and every ref stay as they are, and `git gc` collects it after two weeks. Whoever knows the SHA can fetch
 * it: a fetch in version 2 of Git's protocol is not limited to refs (https://git-scm.com/docs/gitprotocol-v2, "want").
 */
export async function commitAside(exec: Exec, top: string, { parent, message, files, like }: Aside): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'platform-ops-'));
  try {
    const env = { GIT_INDEX_FILE: join(folder, 'index'), ...identity };
    const git = async (args: readonly string[], input?: string) => {
      const options = { env, timeout: 60_000, nothrow: true, ...(input !== undefined && { input }) };
      const { stdout, stderr, exitCode } = await exec(['git', '-C', top, ...alone, ...args], options);
      if (exitCode === 0) return stdout.trim();
      throw new UserError(`git ${args[0]} could not write a commit: ${stderr.trim()}`, { hint: 'git fsck' });
    };
    await git(['read-tree', like ?? parent]);
    for (const [path, text] of files ?? []) {
      const blob = await git(['hash-object', '-w', '--stdin'], text);
      await git(['update-index', '--add', '--cacheinfo', `100644,${blob},${path}`]);
    }
    return await git(['commit-tree', await git(['write-tree']), '-p', parent, '-m', message]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
