import { type EnvChanges, saveSettings } from '../../config/dotenv.ts';
import { UserError } from '../../lib/errors.ts';
import type { Secret } from '../../lib/secret.ts';
import { promptFor, type Terminal } from '../../lib/terminal/prompt.ts';
import type { Context } from '../context.ts';
import { type Account, accountOf, describeAccount } from './credentials.ts';
import { newTokenLink, type Verdict } from './token-check.ts';
import { cleanToken } from './token-sources.ts';

/** What a person answered. */
export type AccountAnswer =
  | { kind: 'account'; account: Account; keep: 'save' | 'run' }
  /** Stubs: this time, or without being asked again. */
  | { kind: 'none'; never: boolean };

const explanation = `
The services' images are private packages on ghcr.io. A classic GitHub token with the scope read:packages pulls them:
  ${newTokenLink}
Enter without one goes on with stand-ins, small local programs that do the same. What you type is not shown.
`;

/**
 * Asks for a token until one works or the person goes on without, and then where to keep it. Leaves the terminal as it
 * was, whatever happens. Throws `Interrupted` on Ctrl-C, Ctrl-D and Escape.
 */
export async function askForAccount(
  terminal: Terminal,
  check: (token: Secret) => Promise<Verdict>,
  /** A repository that the token may have to read as well. */
  repository?: string,
): Promise<AccountAnswer> {
  const say = (text: string) => void terminal.stderr.write(`${text}\n`);
  say(explanation);
  if (repository !== undefined) say(`If ${repository} is private, it needs the scope repo as well.\n`);
  for (;;) {
    const cleaned = cleanToken(await promptFor<string>(terminal, { type: 'password', message: 'Token' }));
    if (cleaned.state === 'empty') return { kind: 'none', never: await askNever(terminal) };
    if (cleaned.state === 'clean' && cleaned.cut !== undefined) say(`The ${cleaned.cut} around it were left out.`);
    const verdict = cleaned.state === 'refused' ? cleaned : await check(cleaned.token);
    if (verdict.state === 'refused' || cleaned.state === 'refused') {
      if (verdict.state === 'refused') say(`✖ ${verdict.message}\n  → ${verdict.remedy}\n`);
      continue;
    }
    const account = accountOf(cleaned.token, { name: 'prompt', title: 'the token that was typed in' }, verdict);
    if (verdict.state === 'unchecked') {
      say(`! ${verdict.message} It is not saved.`);
      return { kind: 'account', account, keep: 'run' };
    }
    say(`✔ It works${account.owner?.login ? `, and belongs to ${account.owner.login}` : ''}.`);
    return { kind: 'account', account, keep: await askWhere(terminal) };
  }
}

function askWhere(terminal: Terminal): Promise<'save' | 'run'> {
  return promptFor(terminal, {
    type: 'select',
    message: 'Keep it',
    choices: [
      { title: 'in .env, which only you can read and Git ignores', value: 'save' },
      { title: 'for this run only', value: 'run' },
    ],
  });
}

function askNever(terminal: Terminal): Promise<boolean> {
  return promptFor(terminal, {
    type: 'select',
    message: 'Go on with stand-ins',
    choices: [
      { title: 'this time', value: false },
      { title: 'and never ask again (GHCR_CREDENTIALS=none in .env)', value: true },
    ],
  });
}

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
  for (const line of await applyAnswer(context, answer)) say(line);
}

/** Does as was answered, and returns what came of it. What can't be saved is used for this run all the same. */
export async function applyAnswer(context: Context, answer: AccountAnswer): Promise<string[]> {
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

function changesFor(context: Context, answer: AccountAnswer): EnvChanges | undefined {
  if (answer.kind === 'none') return answer.never ? { GHCR_CREDENTIALS: 'none' } : undefined;
  if (answer.keep === 'run') return undefined;
  // A token is no use to a file that says to use none.
  const always = context.config.tokens.use === 'none' ? { GHCR_CREDENTIALS: undefined } : {};
  return { GITHUB_TOKEN: answer.account.token.reveal(), ...always };
}
