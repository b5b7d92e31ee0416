import type { Exec, Output } from '../exec.ts';
import { gitIn, type Login } from './run.ts';

/** Whether a repository can be read, or the reason why not, in Git's words. */
export type Readable = { state: 'readable' } | { state: 'refused' } | { state: 'unreachable'; reason: string };

/** The commit that a name stands for in a repository elsewhere, or why it can't be told. */
export type Remote =
  | { state: 'found'; commit: string }
  | { state: 'absent' }
  | Exclude<Readable, { state: 'readable' }>;

const timeoutMs = 30_000;

/** Asks a repository for its branches, as anybody or with a user name and password. Throws `Interrupted` alone. */
export async function canRead(exec: Exec, url: string, login?: Login): Promise<Readable> {
  const output = await listAs(exec, [url], login);
  // 2 says that there is a repository, which has no branch yet.
  return output.exitCode === 2 ? { state: 'readable' } : (whyNot(output) ?? { state: 'readable' });
}

/**
 * Asks a repository which commit a branch or a tag is at, with a user name and password, or else with what you have set up
 * for Git in this folder; nothing is asked at the terminal. Throws `Interrupted` alone.
 */
export async function remoteCommit(
  exec: Exec,
  folder: string,
  url: string,
  name: string,
  login?: Login,
): Promise<Remote> {
  const refs = name === 'HEAD' ? [name] : [`refs/heads/${name}`, `refs/tags/${name}^{}`, `refs/tags/${name}`];
  const output = login
    ? await listAs(exec, [url, ...refs], login)
    : await gitIn(exec, folder, 'remote').attempt(['ls-remote', '--exit-code', url, ...refs], { timeout: timeoutMs });
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
  const args = ['fetch', ...how, url, commit];
  const { exitCode } = await gitIn(exec, folder, 'remote').attempt(args, { timeout: timeoutMs });
  return exitCode === 0;
}

function listAs(exec: Exec, what: readonly string[], login: Login | undefined): Promise<Output> {
  return gitIn(exec, '/', 'anonymous').attempt(['ls-remote', '--exit-code', ...what], { login, timeout: timeoutMs });
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

/** The addresses of a clone's remotes, those that are pushed to as well. */
export async function remoteUrls(exec: Exec, folder: string): Promise<string[]> {
  const args = ['config', '--null', '--get-regexp', String.raw`^remote\..*\.(push)?url$`];
  const { stdout } = await gitIn(exec, folder, 'reading').attempt(args);
  return stdout.split('\0').flatMap((entry) => (entry === '' ? [] : entry.slice(entry.indexOf('\n') + 1)));
}

/** Whether two addresses are of the same repository, be it by https, by ssh or as `git@host:owner/name`. */
export function isSameRepository(one: string, other: string): boolean {
  return normalUrl(one) === normalUrl(other);
}

function normalUrl(url: string): string {
  const trimmed = url
    .trim()
    .replace(/\/+$/, '')
    .replace(/\.git$/, '');
  const found =
    /^(?:https?|ssh|git|git\+ssh):\/\/(?:[^@/]*@)?([^/:]+)(:\d+)?\/+(.+)$/i.exec(trimmed) ??
    /^(?:[^@/:]+@)?([^/:@]+)():\/*(?!\/)(.+)$/.exec(trimmed);
  if (!found) return trimmed;
  const [, host = '', port = '', path = ''] = found;
  const where = host.toLowerCase();
  // The port of ssh tells nothing of that of https.
  const shown = /^https?:/i.test(trimmed) && !/^:(80|443)$/.test(port) ? port : '';
  return `${where}${shown}/${where === 'github.com' ? path.toLowerCase() : path}`;
}
