import type { Exec, Output } from '../exec.ts';
import type { Secret } from '../secret.ts';

/** Whether a repository can be read, or the reason why not, in Git's words. */
export type Readable = { state: 'readable' } | { state: 'refused' } | { state: 'unreachable'; reason: string };

/** The commit that a name stands for in a repository elsewhere, or why it can't be told. */
export type Remote =
  | { state: 'found'; commit: string }
  | { state: 'absent' }
  | Exclude<Readable, { state: 'readable' }>;

interface Login {
  username: string;
  password: Secret;
}

/**
 * The password comes on standard input, which the shell hands on as descriptor 3; the helper reads it there when Git asks.
 * So it is in no argument, no variable and no file. What the person has set up by way of helpers is left out.
 */
const withPassword =
  'exec 3<&0 </dev/null; helper=$1; shift; exec git -c credential.helper= -c "credential.helper=$helper" ls-remote --exit-code "$@"';
const helper = '!f() { test "$1" = get && cat <&3; }; f';
/** No question, no translation, and no program that asks in its own window. */
const quietly = { GIT_TERMINAL_PROMPT: '0', GIT_ASKPASS: '', SSH_ASKPASS: '', LC_ALL: 'C' };
const timeoutMs = 30_000;

/** Asks a repository for its branches, as anybody or with a user name and password. Throws `Interrupted` alone. */
export async function canRead(exec: Exec, url: string, login?: Login): Promise<Readable> {
  const output = await askAs(exec, [url], login);
  // 2 says that there is a repository, which has no branch yet.
  return output.exitCode === 2 ? { state: 'readable' } : (whyNot(output) ?? { state: 'readable' });
}

/**
 * Asks a repository which commit a branch or a tag is at, with a user name and password, or else with what the person has
 * set up for Git; nobody is asked for anything. Throws `Interrupted` alone.
 */
export async function remoteCommit(exec: Exec, url: string, name: string, login?: Login): Promise<Remote> {
  const refs = name === 'HEAD' ? [name] : [`refs/heads/${name}`, `refs/tags/${name}^{}`, `refs/tags/${name}`];
  const output = login
    ? await askAs(exec, [url, ...refs], login)
    : await exec(['git', 'ls-remote', '--exit-code', url, ...refs], {
        nothrow: true,
        timeout: timeoutMs,
        env: quietly,
      });
  if (output.exitCode === 2) return { state: 'absent' };
  const refused = whyNot(output);
  if (refused) return refused;
  const found = new Map(
    output.stdout.split('\n').map((line) => {
      const [commit = '', ref = ''] = line.split('\t');
      return [ref, commit] as const;
    }),
  );
  // A tag with a message is an object of its own; what it points to comes before it.
  const commit = refs.map((ref) => found.get(ref)).find((one) => one !== undefined);
  return commit === undefined ? { state: 'absent' } : { state: 'found', commit };
}

/** Has a clone get a commit that it lacks, and changes no branch of it; whether it has it then. Throws `Interrupted` alone. */
export async function fetchCommit(exec: Exec, folder: string, url: string, commit: string): Promise<boolean> {
  const how = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance'];
  const { exitCode } = await exec(['git', '-C', folder, 'fetch', ...how, url, commit], {
    nothrow: true,
    timeout: timeoutMs,
    env: quietly,
  });
  return exitCode === 0;
}

function askAs(exec: Exec, what: readonly string[], login: Login | undefined): Promise<Output> {
  const input = login === undefined ? '' : `username=${login.username}\npassword=${login.password.reveal()}\n`;
  return exec(['sh', '-c', withPassword, 'sh', helper, ...what], {
    input,
    nothrow: true,
    timeout: timeoutMs,
    env: quietly,
  });
}

function whyNot({ exitCode, stderr }: Output): Exclude<Readable, { state: 'readable' }> | undefined {
  if (exitCode === 0) return undefined;
  if (
    /authentication failed|could not read username|terminal prompts disabled|not found|returned error: 40[13]/i.test(
      stderr,
    )
  )
    return { state: 'refused' };
  return { state: 'unreachable', reason: stderr.trim().split('\n').at(-1) ?? '' };
}
