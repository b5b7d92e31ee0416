import { dirname, join } from 'node:path';
import { parse } from 'dotenv';
import { UsageError, UserError } from '../lib/errors.ts';
import type { Exec } from '../lib/exec.ts';
import { findRegularFile, readFileOrPipe, temporaryName, writeWhole } from '../lib/files.ts';
import { gitIn } from '../lib/git/run.ts';
import { closest } from '../lib/text.ts';
import { settingNames } from './settings.ts';

const assignment = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)$/;

/**
 * The settings of a `.env` file. dotenv skips what it can't read, so each line is looked at first: a typing mistake
 * must not silently become a default. Throws a `UsageError` that names the line, never its content, which may be a token.
 */
export function parseDotenv(text: string): Record<string, string> {
  const seen = new Map<string, number>();
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    if (/^\s*(#.*)?$/.test(line)) continue;
    const [, name, value = ''] = line.match(assignment) ?? [];
    const where = `.env, line ${index + 1}`;
    if (name === undefined)
      throw wrong(
        `${where} is not of the form NAME=value.`,
        'Correct the line, or start it with # to make it a comment.',
      );
    if (/^\s*(["'`])(?!.*\1\s*(#.*)?$)/.test(value))
      throw wrong(`${where}: the quote that ${name} starts with is not closed.`, 'Close the quote on the same line.');
    if (!(settingNames as string[]).includes(name)) {
      const meant = closest(name, settingNames);
      const hint = meant ? `Did you mean ${meant}?` : '.env.example lists every setting.';
      throw wrong(`${where}: there is no setting ${name}.`, hint);
    }
    const earlier = seen.get(name);
    if (earlier !== undefined)
      throw wrong(`${where}: ${name} is already set on line ${earlier}.`, 'Keep one of the two lines.');
    seen.set(name, index + 1);
  }
  return parse(text);
}

function wrong(message: string, hint: string): UsageError {
  return new UsageError(message, { id: 'setting-wrong', hint });
}

/** What to write; undefined puts the setting back to its default. */
export type EnvChanges = Partial<Record<'GITHUB_TOKEN' | 'GHCR_CREDENTIALS', string | undefined>>;

/**
 * Changes settings in `.env` and leaves every other line as it is. A missing file is made from `.env.example`. It ends
 * up readable by its owner alone, and is whole at any moment: a crash leaves the old one. A link stays one.
 *
 * @throws a `UserError` where Git would take the file into a commit, where it is no regular file, or can't be written.
 */
export async function saveSettings(exec: Exec, root: string, changes: EnvChanges): Promise<void> {
  if (changes.GITHUB_TOKEN !== undefined) await assertNotTracked(exec, root);
  // Before it is read: a pipe can be read once, and waits for a writer.
  const { path } = findRegularFile(join(root, '.env'));
  try {
    const before = readFileOrPipe(path) ?? readFileOrPipe(join(root, '.env.example')) ?? '';
    writeWhole(path, withChanges(before, changes), { ownerOnly: true });
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT'].includes(code)) throw error;
    throw new UserError(`.env could not be written (${code}).`, {
      id: 'disk-full',
      hint: `Make room, or make ${dirname(path)} writable; the file is as it was before.`,
      cause: error,
    });
  }
}

/** Makes sure that Git leaves `.env` alone. Where there is no repository, there is none to commit it into. */
async function assertNotTracked(exec: Exec, root: string): Promise<void> {
  const git = gitIn(exec, root, 'reading');
  const refuse = (why: string, hint: string) => {
    throw new UserError(`${why} Nothing was saved.`, { id: 'env-in-git', hint });
  };
  const tracked = await git.attempt(['ls-files', '--error-unmatch', '--', '.env']);
  if (tracked.exitCode === 0)
    refuse(
      '.env is in Git, so that a token in it would be published.',
      'git rm --cached .env && git commit -m "Keep .env out of Git"',
    );
  if (tracked.exitCode > 1 && !/not a git repository/i.test(tracked.stderr) && tracked.exitCode !== 127)
    refuse(`Git can't tell whether it ignores .env: ${tracked.stderr.trim().split('\n')[0]}.`, 'git status');
  // The second name is that of the file while it is written.
  for (const name of ['.env', temporaryName('.env')]) {
    const { exitCode } = await git.attempt(['check-ignore', '--quiet', '--', name]);
    const pattern = name === '.env' ? name : '.env.*';
    if (exitCode === 1)
      refuse(`Git does not ignore ${pattern}.`, 'Put these two lines into .gitignore: .env and .env.*');
  }
}

/** The text with each setting on the line where it stood, commented out or not; one that had none comes last. */
function withChanges(text: string, changes: EnvChanges): string {
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const lines = text.split(newline);
  if (lines.at(-1) === '') lines.pop();
  for (const [name, value] of Object.entries(changes)) {
    const set = lines.findIndex((line) => new RegExp(`^\\s*(export\\s+)?${name}\\s*=`).test(line));
    const at = set >= 0 || value === undefined ? set : lines.findIndex((line) => line.startsWith(`#${name}=`));
    if (at >= 0) lines[at] = value === undefined ? `#${name}=` : `${name}=${value}`;
    else if (value !== undefined) lines.push(`${name}=${value}`);
  }
  return `${lines.join(newline)}${newline}`;
}
