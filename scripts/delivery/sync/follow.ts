import { registrations } from '../../components/registrations.ts';
import type { Context } from '../../images/context.ts';
import { Interrupted, UserError } from '../../lib/errors.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { joinErrors } from '../../lib/tasks.ts';
import type { Progress } from '../../lib/terminal/progress.ts';
import { followApplication } from './application.ts';
import { setOut } from './course.ts';
import type { Receipt } from './receipt.ts';
import { createLookout } from './sight.ts';

export interface FollowOptions {
  /** The full SHA of the commit: what is checked out, or with GITOPS_REPO_URL what was pushed. */
  commit: string;
  /** The names of the Applications that are waited for; all where none are named. */
  applications?: readonly string[];
  progress: Progress;
  /** When it began, in milliseconds of `performance.now()`. Default: now. */
  since?: number;
  /** Seconds to wait for another command that is working on the cluster. Default: as long as a step may take. */
  patience?: number;
  /** Told of each Application as soon as it is done, also where another one fails. */
  onReceipt?: (receipt: Receipt) => void;
}

/**
 * Has Argo CD look at once, waits until the commit runs in every Application, and hands back what became of it in each. A
 * commit that takes its place meanwhile is followed in its stead. Changes nothing but what the commit needs: stand-ins that
 * the node lacks, Applications that follow something else; for that it takes the cluster's lock, which the caller must
 * not hold. Throws a `UserError` with the reason where it can't be rendered, rolls out badly, or takes too long.
 */
export async function followCommit(context: Context, options: FollowOptions): Promise<Receipt[]> {
  const { commit, applications, progress, since = performance.now() } = options;
  const { patience = context.timeout / 1000, onReceipt } = options;
  const title = shortSha(commit);
  const note = (text: string) => progress.note(text);
  progress.start(title);
  const seconds = () => Math.round(performance.now() - since) / 1000;
  try {
    const course = await setOut(context, { commit, wanted: applications, patience, note });
    const names = applications ?? (await namesOf(context));
    const following = { course, lookout: createLookout(context), since, note };
    const results = await Promise.allSettled(
      names.map(async (name) => {
        const receipt = await followApplication(context, name, following);
        onReceipt?.(receipt);
        return receipt;
      }),
    );
    refuse(names, results);
    progress.done(shortSha(course.commit()), seconds(), course.commit() === commit ? course.asked.subject : undefined);
    return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  } catch (error) {
    if (!(error instanceof Interrupted)) progress.failed(title, seconds());
    throw error;
  }
}

async function namesOf(context: Context): Promise<string[]> {
  const registered = (await registrations(context)).filter(({ kind }) => kind === 'Application');
  return registered.map(({ metadata }) => metadata.name);
}

/** A bug or an interruption as it is; of what was expected all that went wrong, once where it is the same for several. */
function refuse(names: readonly string[], results: readonly PromiseSettledResult<Receipt>[]): void {
  const told = new Map<string, { error: UserError; others: string[] }>();
  for (const [index, result] of results.entries()) {
    if (result.status === 'fulfilled') continue;
    const [name = '', error] = [names[index], result.reason as unknown];
    if (!(error instanceof UserError)) throw error;
    const what = error.message.replaceAll(name, '');
    const known = told.get(what);
    if (known) known.others.push(name);
    else told.set(what, { error, others: [] });
  }
  const errors = [...told.values()].map(({ error, others }) => alsoOf(error, others));
  if (errors.length > 0) throw errors.length === 1 ? errors[0] : joinErrors(errors);
}

function alsoOf(error: UserError, others: readonly string[]): UserError {
  if (others.length === 0) return error;
  const { message, hint, exitCode } = error;
  return new UserError(`${message}\n  The same goes for ${others.join(' and ')}.`, {
    ...(hint !== undefined && { hint }),
    exitCode,
    cause: error,
  });
}
