import { UserError } from '../../lib/errors.ts';
import { filesChanged } from '../../lib/git/commits.ts';
import { holdsIn, withHold } from '../../repository/hold.ts';
import { type ImageValues, imageInValues, sameImage, withImage } from '../../repository/image-values.ts';
import { type ImageChange, readImageChanges, rollbackTrailer, shallowNote } from './changes.ts';
import { assertNotOverridden, type DeliveryPlan } from './plan.ts';
import { readIdentity, type ServiceState, type Workspace } from './workspace.ts';

/** What a rollback is planned from, beside the service's file. */
interface RollbackFacts {
  changes: readonly ImageChange[];
  /** Whether the newest change that stands touched this values file alone. */
  touchesOnlyThis: boolean;
  /** Whether there may be more than this clone knows of. */
  shallow: boolean;
  /** The name and the time for the hold. */
  by: string;
  at: Date;
}

/** Reads the history that a rollback is planned from. Throws a `UserError`. */
export async function readRollbackFacts(workspace: Workspace, { service }: ServiceState): Promise<RollbackFacts> {
  const { context, git, head, prefix } = workspace;
  const file = `${prefix}${service.file}`;
  const changes = await readImageChanges(git, head, file);
  const newest = standingChanges(changes).at(-1);
  const touched = newest ? await filesChanged(git, newest.commit) : [];
  const by = await readIdentity(workspace, 'COMMITTER');
  const { shallow } = await context.checkout();
  return { changes, touchesOnlyThis: touched.every((one) => one === file), shallow, by, at: new Date() };
}

/**
 * Works out how a service goes back: to the image before the promotion that brought the current one, or to that of `tag`.
 * No edits where it is at that tag already.
 * @throws UserError where there is nothing to go back to.
 */
export async function planRollback(state: ServiceState, facts: RollbackFacts, tag?: string): Promise<DeliveryPlan> {
  const { service, text } = state;
  const { name, file } = service;
  const from = imageInValues(text);
  if (!from) throw new UserError(`${file} names no image.`, { hint: `git log -- ${file}` });
  const unchanged = `${name}: at ${tag} already. Nothing was changed.`;
  if (tag === from.tag) return { edits: [], message: '', notes: [], unchanged };
  const stack = standingChanges(facts.changes);
  const to = earlierImage(state, from, { ...facts, stack, tag });
  assertNotOverridden(state, to.tag);
  const newest = stack.at(-1);
  const leads = newest?.before && sameImage(newest.image, from) && sameImage(newest.before, to);
  // A merge has no single change that could be reverted.
  const undoes = leads && newest.parents === 1 ? newest : undefined;
  const reverted = undoes && facts.touchesOnlyThis ? await revertedText(text, undoes, to) : undefined;
  const brought = undoes ?? facts.changes.findLast(({ image }) => sameImage(image, from));
  // As `git revert` words it, so that people and programs know it for one; the last line is for `readImageChanges`.
  const opening =
    reverted !== undefined
      ? [`Revert "${undoes?.subject}"`, '', `This reverts commit ${undoes?.commit}.`, '']
      : [
          `chore: roll back ${name} to ${to.tag}`,
          '',
          ...(brought
            ? [`Of commit ${brought.commit}`, `("${brought.subject}"), only the image of ${name} is reverted.`, '']
            : []),
        ];
  const hold = { service: name, tag: from.tag, by: facts.by, at: facts.at };
  return {
    edits: [{ service, before: text, after: withHold(reverted ?? withImage(text, to, file), hold) }],
    message: [
      ...opening,
      `${name} goes back from ${from.tag} to ${to.tag}. A hold blocks promotions of it:`,
      `npm run resume -- ${name} removes it.`,
      '',
      `${rollbackTrailer}: ${name} ${from.tag}`,
    ].join('\n'),
    notes: [`${name} is on hold: npm run resume -- ${name} lets it be promoted again.`],
    unchanged,
  };
}

/** The image of `tag`; without one, the newest that stands below the current one and is not on hold. */
function earlierImage(
  { service: { name }, text }: ServiceState,
  from: ImageValues,
  { changes, shallow, stack, tag }: RollbackFacts & { stack: ImageChange[]; tag: string | undefined },
): ImageValues {
  const held = holdsIn(text).map((hold) => hold.tag);
  const to = tag
    ? changes.findLast(({ image }) => image.tag === tag)
    : stack.findLast(({ image }) => !sameImage(image, from) && !held.includes(image.tag));
  if (to) return to.image;
  const earlier = new Set(changes.map(({ image }) => image.tag).reverse());
  earlier.delete(from.tag);
  const known = earlier.size === 0 ? 'There is none.' : `There are ${[...earlier].join(', ')}.`;
  const names = shallow ? `${known} ${shallowNote}` : known;
  if (tag !== undefined)
    throw new UserError(`${name} never ran ${tag}, as far as Git knows.`, {
      hint: `--to takes a tag of npm run history -- ${name}. ${names}`,
    });
  throw new UserError(`${name} has nothing to go back to: no earlier image stands before ${from.tag}.`, {
    hint: shallow
      ? shallowNote
      : earlier.size === 0
        ? `npm run promote -- ${name} <sha> brings another one.`
        : `npm run rollback -- ${name} --to <sha> goes to any earlier one. ${names}`,
  });
}

/**
 * The changes that stand, oldest first: each rollback removes what it reverted, so that the next one goes further back
 * instead of bringing that in again.
 */
function standingChanges(changes: readonly ImageChange[]): ImageChange[] {
  const stack: ImageChange[] = [];
  for (const change of changes) {
    const back = change.kind === 'rollback' ? stack.findLastIndex(({ image }) => sameImage(image, change.image)) : -1;
    if (back >= 0) stack.length = back + 1;
    // To a build that had been rolled back itself: it replaces the one that is rolled back now.
    else if (change.ours) stack.splice(-1, 1, change);
    else stack.push(change);
  }
  return stack;
}

/**
 * What `git revert` makes of a values file, without the index and the working tree that it needs. Undefined where what
 * came later is in the way, or where that would not lead to the image that is wanted.
 */
async function revertedText(text: string, { texts }: ImageChange, to: ImageValues): Promise<string | undefined> {
  if (texts.before === undefined) return undefined;
  // Loaded when it is needed: a plan for a promotion does without.
  const { applyPatch, structuredPatch } = await import('diff');
  const patch = structuredPatch('', '', texts.after, texts.before, undefined, undefined, { context: 3 });
  const back = applyPatch(text, patch) || '';
  const image = imageInValues(back);
  return image && sameImage(image, to) ? back : undefined;
}
