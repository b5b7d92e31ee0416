import type { Context } from '../../images/context.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import type { Rollout } from './rollout.ts';

/** What to type to undo a commit; for a new image also the way back to the one before it. */
export function backFrom(
  { config }: Context,
  commit: string,
  service?: { service: string } & Pick<Rollout, 'image' | 'before'>,
): string {
  const push = config.gitops ? ' && git push' : '';
  const revert = `git revert --no-edit ${shortSha(commit)}${push}`;
  const promoted = service?.before !== undefined && service.image !== service.before;
  return promoted ? `npm run rollback -- ${service.service}, or ${revert}` : revert;
}

/** Who answers meanwhile. */
export function serving({ old, before }: Pick<Rollout, 'old' | 'before'>): string {
  if (old.length === 0) return 'None of its old pods is ready.';
  const [noun, verb] = old.length === 1 ? ['pod', 'goes'] : ['pods', 'go'];
  return `${old.length} old ${noun} ${verb} on serving${before === undefined ? '' : `, with ${before}`}.`;
}
