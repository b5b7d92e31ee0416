import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import { writeWhole } from '../../lib/files.ts';
import { type Git, literalPath } from '../../lib/git/run.ts';
import { holdsIn, withHold } from '../../repository/hold.ts';
import { type ImageValues, imageInValues, withImage } from '../../repository/image-values.ts';
import { readValuesText, type Service } from '../../repository/service-files.ts';
import { type ImageChange, readImageChanges, rollbackTrailer, sameImage } from './changes.ts';
import { filesOf } from './replay.ts';
import type { FileEdit, Workspace } from './workspace.ts';

/** A rollback that is ready to be committed. */
export interface RollbackPlan {
  from: ImageValues;
  to: ImageValues;
  edit: FileEdit;
  message: string;
}

/**
 * Works out how a service goes back: to the image before the promotion that brought the current one, or to that of `tag`.
 * Undefined where it is at that tag already. Throws a `UserError` where there is nothing to go back to.
 */
export async function planRollback(
  workspace: Workspace,
  service: Service,
  tag?: string,
): Promise<RollbackPlan | undefined> {
  const before = await readValuesText(workspace.root, service);
  const from = imageInValues(before);
  if (!from) throw new UserError(`${service.file} names no image.`, { hint: `git log -- ${service.file}` });
  if (tag === from.tag) return undefined;
  const changes = await readImageChanges(workspace.git, workspace.prefix, service.file);
  const step = findStep(changes, service, from, before, tag);
  const reverted = step.undoes && (await revertedText(workspace, service, step.undoes, step.to));
  const back = reverted ?? withImage(before, step.to, service.file);
  const after = withHold(back, {
    service: service.name,
    tag: from.tag,
    by: await committer(workspace),
    at: new Date(),
  });
  return {
    from,
    to: step.to,
    edit: { service, before, after },
    message: messageFor(service, from, step, reverted !== undefined, changes),
  };
}

function findStep(
  changes: readonly ImageChange[],
  service: Service,
  from: ImageValues,
  text: string,
  tag?: string,
): RollbackStep {
  const earlier = earlierTags(changes, from);
  const names = earlier.length === 0 ? 'There is none.' : `There are ${earlier.join(', ')}.`;
  const held = holdsIn(text).map((hold) => hold.tag);
  const step = tag === undefined ? stepBack(changes, from, held) : stepTo(changes, from, tag);
  if (step) return step;
  if (tag !== undefined)
    throw new UserError(`${service.name} never ran ${tag}, as far as Git knows.`, {
      hint: `--to takes a tag of npm run history -- ${service.name}. ${names}`,
    });
  throw new UserError(`${service.name} has nothing to go back to: no earlier image stands before ${from.tag}.`, {
    hint:
      earlier.length === 0
        ? `npm run promote -- ${service.name} <sha> brings another one.`
        : `npm run rollback -- ${service.name} --to <sha> goes to any earlier one. ${names}`,
  });
}

/** As `git revert` words it, so that people and programs know it for one; the last line is for `readChanges`. */
function messageFor(
  { name }: Service,
  from: ImageValues,
  { to, undoes }: RollbackStep,
  reverted: boolean,
  changes: readonly ImageChange[],
): string {
  const brought = undoes ?? changes.findLast(({ image }) => sameImage(image, from));
  const subject = reverted && undoes ? `Revert "${undoes.subject}"` : `chore: roll back ${name} to ${to.tag}`;
  const what =
    reverted && undoes
      ? [`This reverts commit ${undoes.commit}.`]
      : brought
        ? [`Of commit ${brought.commit}`, `("${brought.subject}"), only the image of ${name} is set back.`]
        : [];
  return [
    subject,
    '',
    ...(what.length > 0 ? [...what, ''] : []),
    `${name} goes back from ${from.tag} to ${to.tag}. A hold keeps promotions off it:`,
    `npm run resume -- ${name} lifts it.`,
    '',
    `${rollbackTrailer}: ${name} ${from.tag}`,
  ].join('\n');
}

/** The name that commits are made under. */
async function committer({ git }: Workspace): Promise<string> {
  return (await git.read(['var', 'GIT_COMMITTER_IDENT'])).split(' <')[0] ?? '';
}

/** What a rollback goes back to. */
interface RollbackStep {
  to: ImageValues;
  /** The commit that brought what is rolled back, if undoing it alone leads to `to`. */
  undoes: ImageChange | undefined;
}

/**
 * The changes that stand, oldest first: each rollback takes back what it undid, so that the next one goes further back
 * instead of bringing that in again.
 */
function standingChanges(changes: readonly ImageChange[]): ImageChange[] {
  const stack: ImageChange[] = [];
  for (const change of changes) {
    const back = change.kind === 'rollback' ? stack.findLastIndex(({ image }) => sameImage(image, change.image)) : -1;
    if (back >= 0) stack.length = back + 1;
    // To a build that stood no more: it takes the place of the one that was rolled back.
    else if (change.ours) stack.splice(-1, 1, change);
    else stack.push(change);
  }
  return stack;
}

/**
 * The step back from the current image: to the newest one that stands below it and is not on hold. Undefined where there
 * is none.
 */
function stepBack(
  changes: readonly ImageChange[],
  current: ImageValues,
  held: readonly string[],
): RollbackStep | undefined {
  const stack = standingChanges(changes);
  const top = stack.at(-1);
  const to = stack.findLast(({ image }) => !sameImage(image, current) && !held.includes(image.tag))?.image;
  return to && { to, undoes: revertible(top, current, to) };
}

/** The step back to a tag that was promoted once. Undefined for one that was not. */
function stepTo(changes: readonly ImageChange[], current: ImageValues, tag: string): RollbackStep | undefined {
  const to = changes.findLast(({ image }) => image.tag === tag)?.image;
  return to && { to, undoes: revertible(standingChanges(changes).at(-1), current, to) };
}

/** The tags that a rollback can go to, newest first. */
function earlierTags(changes: readonly ImageChange[], current: ImageValues): string[] {
  return [...new Set(changes.map(({ image }) => image.tag).reverse())].filter((tag) => tag !== current.tag);
}

function revertible(top: ImageChange | undefined, current: ImageValues, to: ImageValues): ImageChange | undefined {
  const leads = top?.before && sameImage(top.image, current) && sameImage(top.before, to);
  // A merge has no single change that could be taken back.
  return leads && top.parents === 1 ? top : undefined;
}

interface RevertOptions {
  git: Git;
  /** A Git that an interruption does not end. */
  afterwards: Git;
  root: string;
  /** Where the root lies below the top folder. */
  prefix: string;
}

/**
 * What `git revert` of a commit makes of a service's values file; the working tree is as before afterwards. Undefined
 * where the commit touched anything else, where Git can't take it back without a conflict, or where that would not lead
 * to the image that is wanted.
 */
async function revertedText(
  { git, afterwards, root, prefix }: RevertOptions,
  service: Service,
  { commit }: ImageChange,
  wanted: ImageValues,
): Promise<string | undefined> {
  const touched = await filesOf(git, commit);
  if (touched.some((file) => file !== `${prefix}${service.file}`)) return undefined;
  const path = join(root, service.file);
  const before = await readFile(path);
  try {
    const { exitCode } = await git.attempt(['revert', '--no-commit', commit]);
    if (exitCode !== 0) return undefined;
    const after = await readFile(path, 'utf8');
    const image = imageInValues(after);
    return image?.tag === wanted.tag && image.repository === wanted.repository ? after : undefined;
  } finally {
    await afterwards.attempt(['reset', '--quiet', '--', literalPath(service.file)]);
    await afterwards.attempt(['revert', '--quit']);
    writeWhole(path, before);
  }
}
