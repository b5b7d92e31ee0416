import type { Exec } from './exec.ts';
import type { Secret } from './secret.ts';

/** Whether a repository can be read, or the reason why not, in Git's words. */
export type Readable = { state: 'readable' } | { state: 'refused' } | { state: 'unreachable'; reason: string };

/**
 * The password comes on standard input, which the shell hands on as descriptor 3; the helper reads it there when Git asks.
 * So it is in no argument, no variable and no file. What the person has set up by way of helpers is left out.
 */
const withPassword =
  'exec 3<&0 </dev/null; exec git -c credential.helper= -c "credential.helper=$1" ls-remote --exit-code "$2"';
const helper = '!f() { test "$1" = get && cat <&3; }; f';
/** No question, no translation, and no program that asks in its own window. */
const quietly = { GIT_TERMINAL_PROMPT: '0', GIT_ASKPASS: '', SSH_ASKPASS: '', LC_ALL: 'C' };
const timeout = 30_000;

/** Asks a repository for its branches, as anybody or with a user name and password. Throws `Interrupted` alone. */
export async function canRead(
  exec: Exec,
  url: string,
  login?: { username: string; password: Secret },
): Promise<Readable> {
  const input = login === undefined ? '' : `username=${login.username}\npassword=${login.password.reveal()}\n`;
  const options = { input, nothrow: true, timeout, env: quietly };
  const { exitCode, stderr } = await exec(['sh', '-c', withPassword, 'sh', helper, url], options);
  // 2 says that there is a repository, which has no branch yet.
  if (exitCode === 0 || exitCode === 2) return { state: 'readable' };
  if (
    /authentication failed|could not read username|terminal prompts disabled|not found|returned error: 40[13]/i.test(
      stderr,
    )
  )
    return { state: 'refused' };
  return { state: 'unreachable', reason: stderr.trim().split('\n').at(-1) ?? '' };
}
