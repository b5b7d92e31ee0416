import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { fileAt, type Git } from './git.ts';
import { reapplied } from './reapply.ts';

/** What one commit is made of. */
interface Written {
  parent: string;
  files: string[];
  message: string;
  author: Record<string, string>;
}

/** Two people changed the same thing, and a machine must not decide between them. */
export class Overtaken extends UserError {
  override readonly name = 'Overtaken';
}

/**
 * Makes promotions anew on top of another commit, in their order, as a rebase would, but without the working tree: what
 * somebody has there, edited or staged, has nothing to do with it. `git` works in the top folder. Hands back the last
 * commit; those whose change is there already are left out. Throws `Overtaken` where one can't follow what is there.
 */
export async function replay(git: Git, onto: string, commits: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'platform-ops-'));
  try {
    const index = { env: { GIT_INDEX_FILE: join(folder, 'index') } };
    let tip = onto;
    for (const commit of commits) tip = await onTopOf(git, tip, commit, index);
    return tip;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function onTopOf(git: Git, tip: string, commit: string, index: { env: Record<string, string> }): Promise<string> {
  const { parent, files, message, author } = await written(git, commit);
  await git.read(['read-tree', tip], index);
  for (const file of files) {
    const [before, after, theirs] = await Promise.all([parent, commit, tip].map((at) => textAt(git, at, file)));
    if (before === undefined || after === undefined || theirs === undefined)
      throw overtaken(commit, `${file} was added or removed meanwhile`);
    const result = reapplied(before, after, theirs, file);
    if ('refusal' in result) throw overtaken(commit, result.refusal);
    const blob = await git.read(['hash-object', '-w', '--stdin'], { input: result.text });
    const mode = (await git.read(['ls-tree', '--full-tree', tip, '--', file])).split(' ')[0];
    await git.read(['update-index', '--cacheinfo', `${mode},${blob},${file}`], index);
  }
  const tree = await git.read(['write-tree'], index);
  if (tree === (await git.read(['rev-parse', `${tip}^{tree}`]))) return tip;
  const sign = await git.attempt(['config', '--type=bool', 'commit.gpgsign']);
  const signed = sign.stdout.trim() === 'true' ? ['-S'] : [];
  return git.read(['commit-tree', ...signed, '-p', tip, tree], { input: message, env: author });
}

async function written(git: Git, commit: string): Promise<Written> {
  const format = '%P%x00%an%x00%ae%x00%ad%x00%B';
  const about = ['-1', '--no-show-signature', '--encoding=UTF-8', '--date=raw', `--format=${format}`];
  const [parent = '', name = '', email = '', date = '', message = ''] = (
    await git.read(['log', ...about, commit, '--'])
  ).split('\0');
  return {
    parent,
    files: await filesOf(git, commit),
    message: message.trimEnd().concat('\n'),
    author: { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_AUTHOR_DATE: date },
  };
}

/** The files that a commit touches, from the top folder. */
export async function filesOf(git: Git, commit: string): Promise<string[]> {
  const args = ['--no-commit-id', '--name-only', '--no-renames', '-r', '-m', '--root', '-z'];
  const names = (await git.read(['diff-tree', ...args, commit])).split('\0');
  return [...new Set(names.filter((name) => name !== ''))];
}

async function textAt(git: Git, commit: string, file: string): Promise<string | undefined> {
  return fileAt(git, commit, file);
}

function overtaken(commit: string, why: string): Overtaken {
  return new Overtaken(`${why}: ${shortSha(commit)} can't go behind that.`, {
    hint: 'git pull --rebase shows what came in. Look at it, and run the command again if it is still wanted.',
  });
}
