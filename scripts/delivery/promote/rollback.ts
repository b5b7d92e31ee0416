import { UserError } from '../../lib/errors.ts';
import { filesChanged } from '../../lib/git/commits.ts';
import { gitIn } from '../../lib/git/run.ts';
import { holdsIn, withHold } from '../../repository/hold.ts';
import { type ImageValues, imageInValues, withImage } from '../../repository/image-values.ts';
import type { Service } from '../../repository/service-files.ts';
import { type ImageChange, readImageChanges, rollbackTrailer, sameImage } from './changes.ts';
import { assertNotOverridden, type DeliveryPlan } from './plan.ts';
import type { ServiceState, Workspace } from './workspace.ts';

/** What a rollback is planned from, beside the service's file. */
export interface RollbackFacts {
  changes: readonly ImageChange[];
  /** Whether the newest change that stands touched this values file alone. */
  touchesOnlyThis: boolean;
  /** The name and the time for the hold. */
  by: string;
  at: Date;
}

/** Reads the history that a rollback is planned from. Throws a `UserError`. */
export async function readRollbackFacts(
  { context, git, head, prefix, top }: Workspace,
  { service: { file } }: ServiceState,
): Promise<RollbackFacts> {
  const changes = await readImageChanges(git, head, `${prefix}${file}`);
  const newest = standingChanges(changes).at(-1);
  const touched = newest ? await filesChanged(git, newest.commit) : [];
  const by = (await gitIn(context.exec, top, 'committing').read(['var', 'GIT_COMMITTER_IDENT'])).split(' <')[0] ?? '';
  return { changes, touchesOnlyThis: touched.every((one) => one === `${prefix}${file}`), by, at: new Date() };
}

/**
 * Works out how a service goes back: to the image before the promotion that brought the current one, or to that of `tag`.
 * No edits where it is at that tag already.
 * @throws UserError where there is nothing to go back to.
 */
export async function planRollback(state: ServiceState, facts: RollbackFacts, tag?: string): Promise<DeliveryPlan> {
  const { service, text } = state;
  const from = imageInValues(text);
  if (!from) throw new UserError(`${service.file} names no image.`, { hint: `git log -- ${service.file}` });
  const unchanged = `${service.name}: at ${tag} already. Nothing was changed.`;
  if (tag === from.tag) return { edits: [], message: '', notes: [], unchanged };
  const step = findStep(facts.changes, state, from, tag);
  assertNotOverridden(state, step.to.tag);
  const reverted = facts.touchesOnlyThis ? await revertedText(text, step) : undefined;
  const back = reverted ?? withImage(text, step.to, service.file);
  const after = withHold(back, { service: service.name, tag: from.tag, by: facts.by, at: facts.at });
  return {
    edits: [{ service, before: text, after }],
    message: messageFor(service, from, step, reverted !== undefined, facts.changes),
    notes: [`${service.name} is on hold: npm run resume -- ${service.name} lets it be promoted again.`],
    unchanged,
  };
}

function findStep(
  changes: readonly ImageChange[],
  { service, text }: ServiceState,
  from: ImageValues,
  tag: string | undefined,
): RollbackStep {
  const held = holdsIn(text).map((hold) => hold.tag);
  const stack = standingChanges(changes);
  // Without a tag: the newest image that stands below the current one and is not on hold.
  const to = tag
    ? changes.findLast(({ image }) => image.tag === tag)?.image
    : stack.findLast(({ image }) => !sameImage(image, from) && !held.includes(image.tag))?.image;
  if (to) return { to, undoes: revertible(stack.at(-1), from, to) };
  const earlier = new Set(changes.map(({ image }) => image.tag).reverse());
  earlier.delete(from.tag);
  const names = earlier.size === 0 ? 'There is none.' : `There are ${[...earlier].join(', ')}.`;
  if (tag !== undefined)
    throw new UserError(`${service.name} never ran ${tag}, as far as Git knows.`, {
      hint: `--to takes a tag of npm run history -- ${service.name}. ${names}`,
    });
  throw new UserError(`${service.name} has nothing to go back to: no earlier image stands before ${from.tag}.`, {
    hint:
      earlier.size === 0
        ? `npm run promote -- ${service.name} <sha> brings another one.`
        : `npm run rollback -- ${service.name} --to <sha> goes to any earlier one. ${names}`,
  });
}

/** As `git revert` words it, so that people and programs know it for one; the last line is for `readImageChanges`. */
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
      ? [`This reverts commit ${undoes.commit}.`, '']
      : brought
        ? [`Of commit ${brought.commit}`, `("${brought.subject}"), only the image of ${name} is set back.`, '']
        : [];
  return [
    subject,
    '',
    ...what,
    `${name} goes back from ${from.tag} to ${to.tag}. A hold keeps promotions off it:`,
    `npm run resume -- ${name} lifts it.`,
    '',
    `${rollbackTrailer}: ${name} ${from.tag}`,
  ].join('\n');
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

function revertible(top: ImageChange | undefined, current: ImageValues, to: ImageValues): ImageChange | undefined {
  const leads = top?.before && sameImage(top.image, current) && sameImage(top.before, to);
  // A merge has no single change that could be taken back.
  return leads && top.parents === 1 ? top : undefined;
}

/**
 * What `git revert` makes of a values file, without the index and the working tree that it needs. Undefined where what
 * came later is in the way, or where that would not lead to the image that is wanted.
 */
async function revertedText(text: string, { undoes, to }: RollbackStep): Promise<string | undefined> {
  if (undoes?.texts.before === undefined) return undefined;
  // Loaded when it is needed: a plan for a promotion does without.
  const { applyPatch, structuredPatch } = await import('diff');
  const { after, before } = undoes.texts;
  const back = applyPatch(text, structuredPatch('', '', after, before, undefined, undefined, { context: 3 }));
  const image = back === false ? undefined : imageInValues(back);
  return back !== false && image && sameImage(image, to) ? back : undefined;
}
