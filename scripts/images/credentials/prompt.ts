import type prompts from 'prompts';
import { Interrupted } from '../../lib/errors.ts';
import type { Secret } from '../../lib/secret.ts';
import { type Account, accountOf } from './account.ts';
import type { Verdict } from './check.ts';
import { cleanToken } from './clean-token.ts';
import { newTokenLink } from './sentences.ts';
import { terminalInput } from './terminal-input.ts';

/** What a person answered. */
export type Answer =
  | { kind: 'account'; account: Account; keep: 'save' | 'run' }
  /** Stand-ins: this time, or without being asked again. */
  | { kind: 'none'; never: boolean };

export interface Terminal {
  stdin: NodeJS.ReadStream;
  /** Questions belong to progress, so they go where that goes. */
  stderr: NodeJS.WriteStream;
  signal: AbortSignal;
}

/** The terminal, or undefined where nobody sits there who could answer. */
export function terminalOf(
  stdin: NodeJS.ReadStream,
  stderr: NodeJS.WriteStream,
  signal: AbortSignal,
): Terminal | undefined {
  return stdin.isTTY && stderr.isTTY ? { stdin, stderr, signal } : undefined;
}

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
): Promise<Answer> {
  const say = (text: string) => void terminal.stderr.write(`${text}\n`);
  say(explanation);
  if (repository !== undefined) say(`If ${repository} is private, it needs the scope repo as well.\n`);
  for (;;) {
    const cleaned = cleanToken(await question<string>(terminal, { type: 'password', message: 'Token' }));
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
  return question(terminal, {
    type: 'select',
    message: 'Keep it',
    choices: [
      { title: 'in .env, which only you can read and Git ignores', value: 'save' },
      { title: 'for this run only', value: 'run' },
    ],
  });
}

function askNever(terminal: Terminal): Promise<boolean> {
  return question(terminal, {
    type: 'select',
    message: 'Go on with stand-ins',
    choices: [
      { title: 'this time', value: false },
      { title: 'and never ask again (GHCR_CREDENTIALS=none in .env)', value: true },
    ],
  });
}

/** A question with a yes or no; Enter alone means no. Throws `Interrupted` like the others. */
export function askWhether(terminal: Terminal, message: string): Promise<boolean> {
  return question(terminal, { type: 'confirm', message, initial: false });
}

type Question = Omit<prompts.PromptObject<'answer'>, 'name'>;

async function question<T>(terminal: Terminal, asked: Question): Promise<T> {
  // Loaded when somebody is asked, which is seldom.
  const { default: prompts } = await import('prompts');
  if (terminal.signal.aborted) throw new Interrupted();
  const { input, close } = terminalInput(terminal.stdin, terminal.signal);
  let interrupted = false;
  try {
    const streams = { stdin: input as unknown as NodeJS.ReadStream, stdout: terminal.stderr };
    const { answer } = await prompts(
      { ...asked, name: 'answer', ...streams },
      {
        onCancel: () => {
          interrupted = true;
        },
      },
    );
    if (interrupted || terminal.signal.aborted) throw new Interrupted();
    return answer as T;
  } finally {
    close();
  }
}
