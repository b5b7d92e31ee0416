import { UserError } from '../../lib/errors.ts';
import { fileAt } from '../../lib/git/checkout.ts';
import { gitReason } from '../../lib/git/run.ts';
import { holdSentence, holdsIn, withoutHolds } from '../../repository/hold.ts';
import { imageInValues, withImage } from '../../repository/image-values.ts';
import { assertTag, readValuesText, type Service } from '../../repository/service-files.ts';
import type { FileEdit, Workspace } from './workspace.ts';

/** The edits that give services another tag; none for those that have it. Throws a `UserError` where one is on hold. */
export async function planPromotion(
  root: string,
  services: readonly Service[],
  { tag, force }: { tag: string; force: boolean },
): Promise<FileEdit[]> {
  for (const service of services) await assertTag(root, service, tag);
  const texts = await Promise.all(services.map((service) => readValuesText(root, service)));
  const edits = services.map((service, index) => {
    const before = texts[index] ?? '';
    const lifted = force ? withoutHolds(before) : before;
    return { service, before, after: withImage(lifted, { tag }, service.file) };
  });
  const changed = edits.filter(({ before, after }) => before !== after);
  if (!force) assertNotHeld(changed, tag, services.length > 1);
  return changed;
}

/** Throws a `UserError` where somebody put a hold on one of the files elsewhere, that this clone doesn't have yet. */
export async function assertNotHeldUpstream(
  { top, prefix, remote }: Workspace,
  edits: readonly FileEdit[],
  tag: string,
) {
  if (!remote?.upstream) return;
  const at = async (commit: string, { file }: Service) => {
    return holdsIn((await fileAt(top, commit, `${prefix}${file}`)) ?? '');
  };
  // What both had once, was removed here since.
  const shared = await top.attempt(['merge-base', remote.upstream, 'HEAD']);
  if (shared.exitCode > 1) throw new UserError(`git merge-base failed: ${gitReason(shared)}`, { hint: 'git status' });
  const base = shared.stdout.trim();
  for (const { service, before } of edits) {
    const known = [...holdsIn(before), ...(base === '' ? [] : await at(base, service))].map(({ note }) => note);
    const [hold] = (await at(remote.upstream, service)).filter(({ note }) => !known.includes(note));
    if (hold)
      throw new UserError(
        `${service.name} was put on hold elsewhere: ${holdSentence(hold)} It is not promoted to ${tag}.`,
        { id: 'on-hold', hint: `git pull, and npm run resume -- ${service.name} once it is sound again.` },
      );
  }
}

/** The image that an edit leads to, as `ghcr.io/zainasr/api-node:1df3b1f`. */
export function imageAfter({ after }: FileEdit): string {
  const image = imageInValues(after);
  return `${image?.repository}:${image?.tag}`;
}

function assertNotHeld(edits: readonly FileEdit[], tag: string, several: boolean): void {
  for (const { service, before } of edits) {
    const holds = holdsIn(before);
    const hold = holds.find((one) => one.tag === tag) ?? holds[0];
    if (!hold) continue;
    const very = hold.tag === tag ? `${service.name} is on hold for this very tag` : `${service.name} is on hold`;
    throw new UserError(`${very}: ${holdSentence(hold)}${several ? ' Nothing is promoted.' : ''}`, {
      id: 'on-hold',
      hint: `npm run resume -- ${service.name} lifts the hold; npm run promote -- ${service.name} ${tag} --force promotes over it.`,
    });
  }
}
