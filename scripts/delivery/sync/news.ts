import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../../images/context.ts';
import { ApiError, Unreachable } from '../../kubernetes/api/api.ts';
import { Interrupted } from '../../lib/errors.ts';
import { readCommit } from '../../lib/git/commits.ts';
import { applicationsNow } from '../../repository/applications.ts';

/** Milliseconds between two looks: at HEAD, which is a short process of git, and at what Argo CD found elsewhere. */
const often = { head: 500, elsewhere: 2000 };

/**
 * Waits, for however long, until another commit is checked out than `head`; with GITOPS_REPO_URL also until Argo CD is at
 * another one than `deployed`. Hands back when that was, in milliseconds of `performance.now()`: a commit tells the second
 * in which it was made. Throws `Interrupted` alone.
 */
export async function untilNews(context: Context, head: string, deployed: string, every = often): Promise<number> {
  const { exec, config, signal } = context;
  let askedElsewhere = performance.now();
  for (let before = performance.now(); ; ) {
    await sleep(every.head, undefined, { signal }).catch(() => {});
    if (signal.aborted) throw new Interrupted();
    const now = performance.now();
    const commit = await readCommit(exec, config.root, 'HEAD');
    if (commit && commit.sha !== head) return Math.max(before, now - (Date.now() - commit.committedAt));
    if (config.gitops && now - askedElsewhere >= every.elsewhere) {
      askedElsewhere = now;
      if ((await revisions(context)).some((revision) => revision !== deployed)) return now;
    }
    before = now;
  }
}

/** The commits that Argo CD rendered, as far as it can tell. */
async function revisions(context: Context): Promise<string[]> {
  try {
    const all = await applicationsNow(context);
    return all.flatMap(({ status }) => status?.sync?.revision?.match(/^[0-9a-f]{40,64}$/)?.[0] ?? []);
  } catch (error) {
    // A cluster that is away may come back.
    if (error instanceof ApiError || error instanceof Unreachable) return [];
    throw error;
  }
}
