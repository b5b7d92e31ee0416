import type { ImageValues } from '../../repository/image-values.ts';
import { type Change, sameImage } from './changes.ts';

/** What a rollback goes back to. */
export interface Step {
  to: ImageValues;
  /** The commit that brought what is rolled back, if undoing it alone leads to `to`. */
  undoes: Change | undefined;
}

/**
 * The changes that stand, oldest first: each rollback takes back what it undid, so that the next one goes further back
 * instead of bringing that in again.
 */
export function standing(changes: readonly Change[]): Change[] {
  const stack: Change[] = [];
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
export function stepBack(changes: readonly Change[], current: ImageValues, held: readonly string[]): Step | undefined {
  const stack = standing(changes);
  const top = stack.at(-1);
  const to = stack.findLast(({ image }) => !sameImage(image, current) && !held.includes(image.tag))?.image;
  return to && { to, undoes: undoing(top, current, to) };
}

/** The step back to a tag that was promoted once. Undefined for one that was not. */
export function stepTo(changes: readonly Change[], current: ImageValues, tag: string): Step | undefined {
  const to = changes.findLast(({ image }) => image.tag === tag)?.image;
  return to && { to, undoes: undoing(standing(changes).at(-1), current, to) };
}

/** The tags that a rollback can go to, newest first. */
export function earlierTags(changes: readonly Change[], current: ImageValues): string[] {
  return [...new Set(changes.map(({ image }) => image.tag).reverse())].filter((tag) => tag !== current.tag);
}

function undoing(top: Change | undefined, current: ImageValues, to: ImageValues): Change | undefined {
  const leads = top?.before && sameImage(top.image, current) && sameImage(top.before, to);
  // A merge has no single change that could be taken back.
  return leads && top.parents === 1 ? top : undefined;
}
