import { holdsIn, withNote, withoutHolds } from '../../repository/hold.ts';
import { type ImageValues, imageInValues, withImage } from '../../repository/image-values.ts';

/** A values file with somebody's change on top of somebody else's, or why that can't be. */
export type Reapplied = { text: string } | { refusal: string };

interface Change {
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
export function reapplied(before: string, after: string, theirs: string, file: string): Reapplied {
  if (theirs === before) return { text: after };
  if (theirs === after) return { text: theirs };
  const was = imageInValues(before);
  const now = imageInValues(theirs);
  const change = changeBetween(before, after);
  if (!was || !now || !change || apply(change, before, file) !== after)
    return { refusal: `${file} was changed here and elsewhere in ways that can't be put together` };
  const unknown = notes(theirs).filter((note) => !notes(before).includes(note));
  if (change.added.length > 0 && !same(was, now))
    return { refusal: `${file} was promoted to ${now.tag} meanwhile, which a rollback from ${was.tag} must not undo` };
  if (change.moves && change.added.length === 0 && unknown.length > 0)
    return { refusal: `${file} was put on hold meanwhile` };
  return { text: apply(change, theirs, file) };
}

function changeBetween(before: string, after: string): Change | undefined {
  const was = imageInValues(before);
  const image = imageInValues(after);
  if (!was || !image) return undefined;
  return {
    image,
    moves: !same(was, image),
    added: notes(after).filter((note) => !notes(before).includes(note)),
    lifted: notes(before).filter((note) => !notes(after).includes(note)),
  };
}

function apply({ image, moves, added, lifted }: Change, text: string, file: string): string {
  const lighter = withoutHolds(text, lifted);
  return added.reduce(withNote, moves ? withImage(lighter, image, file) : lighter);
}

function notes(text: string): string[] {
  return holdsIn(text).map(({ note }) => note);
}

function same(one: ImageValues, other: ImageValues): boolean {
  return one.repository === other.repository && one.tag === other.tag;
}
