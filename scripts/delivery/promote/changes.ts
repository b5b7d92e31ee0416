import { blobsAt } from '../../lib/git/commits.ts';
import { type Git, literalPath } from '../../lib/git/run.ts';
import { type ImageValues, imageInValues, sameImage } from '../../repository/image-values.ts';

/** A commit that gave a service another image. */
export interface ImageChange {
  commit: string;
  /** ISO 8601, in the author's time zone. */
  date: string;
  author: string;
  subject: string;
  /** A promotion bears the message of promote and of the platform's CI; an edit is any other way of setting the image. */
  kind: 'start' | 'promotion' | 'rollback' | 'edit';
  /** Whether this was `npm run rollback`, and not a `git revert` by hand. */
  ours: boolean;
  image: ImageValues;
  /** The image before it; undefined for the first. */
  before: ImageValues | undefined;
  /** The values file at this commit, and at its first parent. */
  texts: { after: string; before: string | undefined };
  parents: number;
}

/** What commits of a promotion begin with, ours and those of the platform's CI. */
export const promotionSubject = 'chore: promote images';
/** The line by which our rollbacks are known again. */
export const rollbackTrailer = 'Rolled-back';

const isOurs = new RegExp(`^${rollbackTrailer}: `, 'm');
const isRevert = /^This reverts commit [0-9a-f]{7,}/m;

/** What to know of the history of a shallow clone: its first commit has all images, whatever brought them. */
export const shallowNote = 'This clone is shallow, and what came before is not in it: git fetch --unshallow gets it.';

/**
 * Every commit in the history of `head` that changed the image in a values file, oldest first, whatever made it.
 * @param git in the top folder.
 * @param path of the file, from there.
 * @throws UserError
 */
export async function readImageChanges(git: Git, head: string, path: string): Promise<ImageChange[]> {
  const commits = await commitsOf(git, head, path);
  const wanted = [...new Set(commits.flatMap(({ commit, parents }) => [commit, ...parents]))];
  const names = wanted.map((commit) => `${commit}:${path}`);
  const found = await blobsAt(git, names);
  const texts = new Map(wanted.map((commit, index) => [commit, found[index]]));
  const images = new Map([...texts].map(([commit, text]) => [commit, imageInValues(text ?? '')]));
  const changes: ImageChange[] = [];
  for (const { parents, message, ...about } of commits) {
    const image = images.get(about.commit);
    const earlier = changes.at(-1)?.image;
    // A file that was no YAML for a while named no image: what counts is the one before that.
    const inherited = parents.map((parent) => images.get(parent) ?? earlier);
    if (!image || inherited.some((one) => one && sameImage(one, image))) continue;
    const before = inherited[0] ?? earlier;
    const ours = isOurs.test(message);
    changes.push({
      ...about,
      image,
      before,
      texts: { after: texts.get(about.commit) ?? '', before: texts.get(parents[0] ?? '') },
      parents: parents.length,
      ours,
      kind: kindOf(about.subject, message, before),
    });
  }
  return changes;
}

function kindOf(subject: string, message: string, before: ImageValues | undefined): ImageChange['kind'] {
  if (before === undefined) return 'start';
  if (isOurs.test(message) || isRevert.test(message)) return 'rollback';
  return subject.startsWith(promotionSubject) ? 'promotion' : 'edit';
}

async function commitsOf(git: Git, head: string, path: string) {
  const format = '--format=%H%x00%P%x00%aI%x00%an%x00%s%x00%B%x00';
  const how = ['--topo-order', '--reverse', '--no-show-signature', '--no-color', '--encoding=UTF-8', format];
  const stdout = await git.read(['log', ...how, head, '--', literalPath(path)]);
  const fields = stdout.split('\0');
  return Array.from({ length: Math.floor(fields.length / 6) }, (_, index) => {
    const [commit = '', parents = '', date = '', author = '', subject = '', message = ''] = fields.slice(index * 6);
    return {
      commit: commit.trim(),
      parents: parents.split(' ').filter((parent) => parent !== ''),
      date,
      author,
      subject,
      message,
    };
  });
}
