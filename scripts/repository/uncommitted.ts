import { relative } from 'node:path';
import type { Context } from '../kubernetes/context.ts';
import { uncommitted } from '../lib/git/git.ts';

/** A warning for edits that Argo CD can't see, since it deploys commits. */
export async function uncommittedNote(context: Context): Promise<string[]> {
  if (context.config.gitops) return [];
  const { root } = context.config;
  const files = await uncommitted(context.exec, root, ['helm']);
  if (files.length === 0) return [];
  const { top } = await context.checkout();
  const named = files
    .slice(0, 3)
    .map((file) => relative(root, `${top}/${file}`))
    .join(', ');
  return [`Not deployed, because not committed: ${named}${files.length > 3 ? ` and ${files.length - 3} more` : ''}.`];
}
