import { type Changes, saveSettings } from '../../config/env-file.ts';
import { UserError } from '../../lib/errors.ts';
import type { Context } from '../context.ts';
import { describeAccount } from './account.ts';
import { type Answer, askForAccount, type Terminal } from './prompt.ts';

/**
 * Settles what the images are pulled with, before anything is installed. Where nothing is found and somebody sits at
 * the terminal, asks. What there is to say is told line by line. Throws a `UsageError` where the token in `.env` doesn't
 * work, or `Interrupted`.
 */
export async function chooseAccount(
  context: Context,
  terminal: Terminal | undefined,
  say: (line: string) => void,
): Promise<void> {
  const { account, notes } = await context.credentials.search();
  for (const note of notes) say(`! ${note}`);
  if (account) say(`Images are pulled with ${account.title}: ${describeAccount(account)}.`);
  if (account || !terminal) return;
  const answer = await askForAccount(
    terminal,
    (token) => context.credentials.check(token),
    context.config.gitops?.repoUrl,
  );
  for (const line of await settle(context, answer)) say(line);
}

/** Does as was answered, and hands back what came of it. What can't be saved is used for this run all the same. */
export async function settle(context: Context, answer: Answer): Promise<string[]> {
  if (answer.kind === 'account') context.credentials.use(answer.account);
  const changes = changesFor(context, answer);
  if (changes === undefined) return [];
  try {
    await saveSettings(context.exec, context.config.root, changes);
    return [answer.kind === 'account' ? 'The token is in .env.' : 'GHCR_CREDENTIALS=none is in .env.'];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [`${error.message} ${error.hint ?? ''}`.trim()];
  }
}

function changesFor(context: Context, answer: Answer): Changes | undefined {
  if (answer.kind === 'none') return answer.never ? { GHCR_CREDENTIALS: 'none' } : undefined;
  if (answer.keep === 'run') return undefined;
  // A token is no use to a file that says to use none.
  const always = context.config.tokens.use === 'none' ? { GHCR_CREDENTIALS: undefined } : {};
  return { GITHUB_TOKEN: answer.account.token.reveal(), ...always };
}
