import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import { fileAt, shortSha } from '../../lib/git/checkout.ts';
import type { Git } from '../../lib/git/run.ts';
import { holdsIn, withNote, withoutHolds } from '../../repository/hold.ts';
import { type ImageValues, imageInValues, withImage } from '../../repository/image-values.ts';
import { sameImage } from './changes.ts';

/** What one commit is made of. */
interface CommitContent {
  parent: string;
  files: string[];
  message: string;
  author: Record<string, string>;
}

/** Two people changed the same thing, and a machine must not decide between them. */
export class ReplayConflict extends UserError {
  override readonly name = 'ReplayConflict';
}

/**
 * Recreates promotions on top of another commit, in their order, as a rebase would, but without the working tree: what
 * somebody has there, edited or staged, has nothing to do with it. `git` works in the top folder. Returns the last
 * commit; those whose change is there already are left out. Throws `ReplayConflict` where one can't follow what is there.
 */
export async function replay(git: Git, onto: string, commits: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'platform-ops-'));
  try {
    const index = { env: { GIT_INDEX_FILE: join(folder, 'index') } };
    let tip = onto;
    for (const commit of commits) tip = await replayOne(git, tip, commit, index);
    return tip;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function replayOne(
  git: Git,
  tip: string,
  commit: string,
  index: { env: Record<string, string> },
): Promise<string> {
  const { parent, files, message, author } = await readCommitContent(git, commit);
  await git.read(['read-tree', tip], index);
  for (const file of files) {
    const [before, after, theirs] = await Promise.all([parent, commit, tip].map((at) => textAt(git, at, file)));
    if (before === undefined || after === undefined || theirs === undefined)
      throw replayConflict(commit, `${file} was added or removed meanwhile`);
    const result = reapplied(before, after, theirs, file);
    if ('refusal' in result) throw replayConflict(commit, result.refusal);
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

async function readCommitContent(git: Git, commit: string): Promise<CommitContent> {
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

function replayConflict(commit: string, why: string): ReplayConflict {
  return new ReplayConflict(`${why}: ${shortSha(commit)} can't go behind that.`, {
    hint: 'git pull --rebase shows what came in. Look at it, and run the command again if it is still wanted.',
  });
}

/** A values file with somebody's change on top of somebody else's, or why that can't be. */
type Reapplied = { text: string } | { refusal: string };

interface ValuesChange {
  image: ImageValues;
  /** The image is another one than before. */
  moves: boolean;
  added: string[];
  lifted: string[];
}

/**
 * Does to `theirs` what was done between `before` and `after`: a promotion, a rollback or a release, each as its own kind
 * can stand behind what the others did meanwhile. A promotion comes after theirs and wins; never over a hold that was put
 * since, and a rollback never undoes more than it knew of.
 */
function reapplied(before: string, after: string, theirs: string, file: string): Reapplied {
  if (theirs === before) return { text: after };
  if (theirs === after) return { text: theirs };
  const was = imageInValues(before);
  const now = imageInValues(theirs);
  const change = changeBetween(before, after);
  if (!was || !now || !change || applyChange(change, before, file) !== after)
    return { refusal: `${file} was changed here and elsewhere in ways that can't be put together` };
  const unknown = holdNotes(theirs).filter((note) => !holdNotes(before).includes(note));
  if (change.added.length > 0 && !sameImage(was, now))
    return { refusal: `${file} was promoted to ${now.tag} meanwhile, which a rollback from ${was.tag} must not undo` };
  if (change.moves && change.added.length === 0 && unknown.length > 0)
    return { refusal: `${file} was put on hold meanwhile` };
  return { text: applyChange(change, theirs, file) };
}

function changeBetween(before: string, after: string): ValuesChange | undefined {
  const was = imageInValues(before);
  const image = imageInValues(after);
  if (!was || !image) return undefined;
  return {
    image,
    moves: !sameImage(was, image),
    added: holdNotes(after).filter((note) => !holdNotes(before).includes(note)),
    lifted: holdNotes(before).filter((note) => !holdNotes(after).includes(note)),
  };
}

function applyChange({ image, moves, added, lifted }: ValuesChange, text: string, file: string): string {
  const lighter = withoutHolds(text, lifted);
  return added.reduce(withNote, moves ? withImage(lighter, image, file) : lighter);
}

function holdNotes(text: string): string[] {
  return holdsIn(text).map(({ note }) => note);
}
