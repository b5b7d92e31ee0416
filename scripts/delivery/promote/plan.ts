import { UserError } from '../../lib/errors.ts';
import { holdSentence, holdsIn, withoutHolds } from '../../repository/hold.ts';
import { imageInValues, withImage } from '../../repository/image-values.ts';
import type { Service } from '../../repository/service-files.ts';
import { promotionSubject } from './changes.ts';
import type { ServiceState } from './workspace.ts';

/** A values file as it is and as it shall be. */
export interface FileEdit {
  service: Service;
  before: string;
  after: string;
}

/** What a command is going to do to values files: data alone, which --dry-run prints. */
export interface DeliveryPlan {
  edits: FileEdit[];
  /** Of the commit. */
  message: string;
  /** What else to say, a sentence each. */
  notes: string[];
  /** What to say where nothing has to be edited. */
  unchanged: string;
}

/**
 * Gives services another tag; those that have it are left alone.
 * @throws UserError where a service is on hold, here or where the branch is pushed to, or another values file sets the tag.
 */
export function planPromotion(
  states: readonly ServiceState[],
  { tag, force }: { tag: string; force: boolean },
): DeliveryPlan {
  const edits = states.map(({ service, text }) => ({
    service,
    before: text,
    after: withImage(force ? withoutHolds(text) : text, { tag }, service.file),
  }));
  const changed = edits.filter(({ before, after }) => before !== after);
  for (const state of states) {
    const isChanged = changed.some(({ service }) => service === state.service);
    if (isChanged && !force) assertNotHeld(state, tag, states.length > 1);
    if (isChanged) assertNotHeldElsewhere(state, tag);
    assertNotOverridden(state, tag);
  }
  return {
    edits: changed,
    message: `${promotionSubject} ${tag}`,
    notes: [],
    unchanged: `${states.map(({ service }) => service.name).join(', ')}: at ${tag} already. Nothing was changed.`,
  };
}

/** Removes the holds of services. */
export function planRelease(states: readonly ServiceState[]): DeliveryPlan {
  const held = states.filter(({ text }) => holdsIn(text).length > 0);
  const names = states.map(({ service }) => service.name).join(', ');
  return {
    edits: held.map(({ service, text }) => ({ service, before: text, after: withoutHolds(text) })),
    message: `chore: release ${names}`,
    notes: held.flatMap(({ text }) => holdsIn(text).map((hold) => `Lifted: ${holdSentence(hold)}`)),
    unchanged: `${names} is not on hold. Nothing was changed.`,
  };
}

/** Throws a `UserError` where a values file that Helm reads later has another tag: the edit would have no effect. */
export function assertNotOverridden({ service, overrides }: ServiceState, tag: string): void {
  const other = overrides.find((one) => one.tag !== tag);
  if (other)
    throw new UserError(
      `${other.file}:${other.line} sets image.tag to ${other.tag}, which overrides ${service.file}: ${service.name} would not run ${tag}.`,
      { hint: `Remove that line and commit, or edit it by hand: only ${service.file} is edited.` },
    );
}

/** The images that edits lead to, by service, as `ghcr.io/zainasr/api-node:1df3b1f`; none where the image stays. */
export function plannedImages({ edits }: Pick<DeliveryPlan, 'edits'>): Map<string, string> {
  return new Map(
    edits.flatMap(({ service, before, after }) => {
      const [was, image] = [before, after].map(imageName);
      return image === undefined || image === was ? [] : [[service.name, image] as const];
    }),
  );
}

function imageName(text: string): string | undefined {
  const image = imageInValues(text);
  return image && `${image.repository}:${image.tag}`;
}

function assertNotHeld({ service: { name }, text }: ServiceState, tag: string, several: boolean): void {
  const holds = holdsIn(text);
  const hold = holds.find((one) => one.tag === tag) ?? holds[0];
  if (!hold) return;
  const very = hold.tag === tag ? `${name} is on hold for this very tag` : `${name} is on hold`;
  throw new UserError(`${very}: ${holdSentence(hold)}${several ? ' Nothing is promoted.' : ''}`, {
    id: 'on-hold',
    hint: `npm run resume -- ${name} removes the hold; npm run promote -- ${name} ${tag} --force promotes over it.`,
  });
}

function assertNotHeldElsewhere({ service: { name }, holdsElsewhere: [hold] }: ServiceState, tag: string): void {
  if (!hold) return;
  throw new UserError(`${name} was put on hold elsewhere: ${holdSentence(hold)} It is not promoted to ${tag}.`, {
    id: 'on-hold',
    hint: `git pull, and npm run resume -- ${name} once it is sound again.`,
  });
}
