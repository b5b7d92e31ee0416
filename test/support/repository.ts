import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createExec, type Exec } from '../../scripts/lib/exec.ts';
import { everyKind, type FakeExec, fakeExec, lastingFolder } from './fakes.ts';

/** No setting of whoever runs the tests, and an identity of its own. */
export const gitEnvironment: Record<string, string> = {
  PATH: process.env.PATH ?? '',
  GIT_CONFIG_GLOBAL: fileURLToPath(new URL('git.config', import.meta.url)),
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@example.com',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@example.com',
};

/** The real runner of commands, with that environment. */
export const gitExec: Exec = createExec({ env: everyKind(gitEnvironment), signal: new AbortController().signal });

/** Runs git in a folder and hands back what it prints. */
export function git(folder: string, ...args: string[]): string {
  const { error, status, stdout, stderr } = spawnSync('git', ['-C', folder, ...args], {
    env: gitEnvironment,
    encoding: 'utf8',
  });
  if (status !== 0) throw error ?? new Error(`git ${args.join(' ')}: ${stderr}`);
  return stdout.trim();
}

/** Makes a repository on the branch main. */
export function createRepository(folder: string): string {
  mkdirSync(folder, { recursive: true });
  git(folder, 'init', '--quiet', '--initial-branch=main');
  return folder;
}

/**
 * Makes repositories that all are alike, at the folders that it is given: the first by `make`, with Git, the others as
 * copies of that, which is a tenth of the work.
 */
export function copies(make: (folder: string) => void): (folder: string) => string {
  let first: string | undefined;
  return (folder) => {
    if (first === undefined) {
      first = createRepository(lastingFolder());
      make(first);
    }
    cpSync(first, folder, { recursive: true });
    return folder;
  };
}

/** Writes files and commits them. Hands back the commit. */
export function commit(folder: string, subject: string, files: Record<string, string> = {}): string {
  for (const [name, text] of Object.entries(files)) write(folder, name, text);
  git(folder, 'add', '--all');
  git(folder, 'commit', '--quiet', '--allow-empty', '--message', subject);
  return git(folder, 'rev-parse', 'HEAD');
}

export function write(folder: string, name: string, text: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

/** A git that has these files at every commit, by their paths: what `git cat-file --batch` answers of them. */
export function committedFiles(texts: Readonly<Record<string, string>>): FakeExec {
  const answer = (name: string) => {
    const text = texts[name.slice(name.indexOf(':') + 1)];
    return text === undefined ? `${name} missing\n` : `blob\n${text}\n`;
  };
  return fakeExec((_, { input }) => {
    const names = input === undefined ? [] : String(input).trimEnd().split('\n');
    return { stdout: names.map(answer).join('') };
  });
}
