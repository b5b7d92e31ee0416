import { UserError } from '../../lib/errors.ts';
import { holdsIn, withHold } from '../../repository/hold.ts';
import { type ImageValues, imageInValues, withImage } from '../../repository/image-values.ts';
import { readValuesText, type Service } from '../../repository/service-files.ts';
import { type Change, readChanges, rollbackTrailer, sameImage } from './changes.ts';
import type { Edit } from './commit.ts';
import type { Desk } from './desk.ts';
import { revertedText } from './revert.ts';
import { earlierTags, type Step, stepBack, stepTo } from './undo.ts';

/** A rollback that is ready to be committed. */
export interface Rollback {
  from: ImageValues;
  to: ImageValues;
  edit: Edit;
  message: string;
}

/**
 * Works out how a service goes back: to the image before the promotion that brought the current one, or to that of `tag`.
 * Undefined where it is at that tag already. Throws a `UserError` where there is nothing to go back to.
 */
export async function planRollback(desk: Desk, service: Service, tag?: string): Promise<Rollback | undefined> {
  const before = await readValuesText(desk.root, service);
  const from = imageInValues(before);
  if (!from) throw new UserError(`${service.file} names no image.`, { hint: `git log -- ${service.file}` });
  if (tag === from.tag) return undefined;
  const changes = await readChanges(desk.git, desk.prefix, service.file);
  const step = findStep(changes, service, from, before, tag);
  const reverted = step.undoes && (await revertedText(desk, service, step.undoes, step.to));
  const back = reverted ?? withImage(before, step.to, service.file);
  const after = withHold(back, { service: service.name, tag: from.tag, by: await committer(desk), at: new Date() });
  return {
    from,
    to: step.to,
    edit: { service, before, after },
    message: messageFor(service, from, step, reverted !== undefined, changes),
  };
}

function findStep(changes: readonly Change[], service: Service, from: ImageValues, text: string, tag?: string): Step {
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
  { to, undoes }: Step,
  reverted: boolean,
  changes: readonly Change[],
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
    `npm run release -- ${name} lifts it.`,
    '',
    `${rollbackTrailer}: ${name} ${from.tag}`,
  ].join('\n');
}

/** The name that commits are made under. */
async function committer({ git }: Desk): Promise<string> {
  return (await git.read(['var', 'GIT_COMMITTER_IDENT'])).split(' <')[0] ?? '';
}
