import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { Context } from '../../scripts/images/context.ts';
import { UsageError, UserError } from '../../scripts/lib/errors.ts';
import { CommandError, type Environments, type Exec, type ExecOptions, type Output } from '../../scripts/lib/exec.ts';
import type { Tools } from '../../scripts/repository/rendering/finding.ts';

type Call = { command: readonly string[]; options: ExecOptions };
export type FakeExec = Exec & { calls: Call[]; lines(): string[] };

/** An Exec that runs nothing: `answer` says what a command line prints. What it leaves out is empty, with exit code 0. */
export function fakeExec(answer: (line: string, options: ExecOptions) => Partial<Output> | undefined): FakeExec {
  const calls: Call[] = [];
  const exec: Exec = async (command, options = {}) => {
    calls.push({ command, options });
    const output = { stdout: '', stderr: '', exitCode: 0, ...answer(command.join(' '), options) };
    if (output.exitCode !== 0 && !options.nothrow) throw new CommandError(command, output);
    return output;
  };
  return Object.assign(exec, { calls, lines: () => calls.map(({ command }) => command.join(' ')) });
}

/** An environment that children of every kind get. */
export function everyKind(env: Record<string, string>): Environments {
  return { probe: env, tool: env, user: env };
}

/** A context of which only the given parts exist: a test that reaches for another one fails there. */
export function fakeContext(parts: { [K in keyof Context]?: unknown }): Context {
  return parts as Context;
}

/** A new folder, with a space in its path, that is gone when the file's tests are over. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'platform ops test '));
  after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The same for what several files share: it is gone when the process ends. */
export function lastingFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'platform ops test '));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The UserError that is thrown, as the person reads it: the message and the hint. */
export async function refusal(work: () => unknown): Promise<{ error: UserError; text: string }> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { error, text: `${error.message}\n${error.hint ?? ''}` };
  }
  throw new Error('nothing was refused');
}

/** A machine on which no tool is to be had. */
export const noTools: Tools = {
  exec: fakeExec(() => undefined),
  find: async (name) => {
    throw new UsageError(`${name} is needed.`, `Install ${name}.`);
  },
};

/**
 * Puts a character device at a path, or a link to one: a device of its own where a fault could replace /dev/null itself, which
 * every program of this machine needs.
 */
export function placeDevice(path: string): void {
  if (process.getuid?.() !== 0) symlinkSync('/dev/null', path);
  else execFileSync('mknod', [path, 'c', '1', '3']);
}
