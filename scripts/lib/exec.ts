import { type ChildProcess, spawn } from 'node:child_process';
import { Interrupted, isDiskFull, UserError } from './errors.ts';
import { gatedArguments, startGate, superviseChild } from './processes.ts';
import { startDeadline } from './retry.ts';
import { shellWord } from './text.ts';

export interface Output {
  stdout: string;
  stderr: string;
  exitCode: number;
}

export interface ExecOptions {
  /** Given on standard input, never shown. Without it the child has no standard input. */
  input?: string | Uint8Array;
  /** Milliseconds after which the child is ended. Default: that of the runner. */
  timeout?: number;
  /** Return the exit code instead of throwing. */
  nothrow?: boolean;
  /** Whose environment the child gets. Default: that of a `tool`. */
  as?: ChildKind;
  /** Variables on top of that, for this child only. */
  env?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

/**
 * What a child is. A `probe` is a program that is only asked for its version. A `tool` works for the platform. What you could type
 * yourself, with your own settings and logins, is a `user`'s, as in `git push` or a browser.
 */
export type ChildKind = 'probe' | 'tool' | 'user';

/** The whole environment of each kind of child. */
export type Environments = Readonly<Record<ChildKind, Readonly<Record<string, string>>>>;

/** Runs one finite command, given as an array. Throws `CommandError`, or `Interrupted` once the signal fired. */
export type Exec = (command: readonly [string, ...string[]], options?: ExecOptions) => Promise<Output>;

/** A command that ended with another exit code than 0, could not be started, or took too long. */
export class CommandError extends UserError {
  override readonly name = 'CommandError';
  readonly command: readonly string[];
  readonly output: Output;
  /** The milliseconds in which it was not done, or undefined where it ended by itself. */
  readonly timedOut: number | undefined;

  constructor(command: readonly string[], output: Output, timedOut?: number) {
    const why =
      timedOut === undefined
        ? `ended with exit code ${output.exitCode}`
        : `took too long: it was not done after ${timedOut / 1000} s`;
    const stderr = output.stderr.trim();
    super(`${command.join(' ')} ${why}${stderr === '' ? '' : `: ${stderr}`}`, {
      id: isDiskFull(stderr) ? 'disk-full' : undefined,
      hint: 'npm run doctor looks for the usual causes.',
    });
    this.command = command;
    this.output = output;
    this.timedOut = timedOut;
  }
}

interface ExecSetup {
  env: Environments;
  /** Ends every running child when it fires. */
  signal: AbortSignal;
  /** Milliseconds after which a child is ended. Default: 10 minutes. */
  timeout?: number | undefined;
  /** Sees every command that starts, for `--verbose`. What goes to standard input is not part of it. */
  onCommand?: ((command: readonly string[]) => void) | undefined;
}

const tenMinutesMs = 600_000;

/** Makes the runner that everything else is given. zx runs the commands; execa those that are fed on standard input. */
export function createExec(setup: ExecSetup): Exec {
  return async (command, options = {}) => {
    setup.onCommand?.(command);
    const interrupted = options.signal ? AbortSignal.any([setup.signal, options.signal]) : setup.signal;
    if (interrupted.aborted) throw new Interrupted();
    const timeout = options.timeout ?? setup.timeout ?? tenMinutesMs;
    const deadline = startDeadline(timeout);
    const signal = AbortSignal.any([interrupted, deadline.signal]);
    const settings = { env: { ...setup.env[options.as ?? 'tool'], ...options.env }, signal };
    try {
      const output = await (options.input === undefined
        ? runQuietly(command, settings)
        : runWithInput(command, { ...settings, input: options.input }));
      if (interrupted.aborted) throw new Interrupted();
      // A child that was told to end may still do so in its own way: the deadline tells why, not the exit code.
      if (deadline.signal.aborted) throw new CommandError(command, output, timeout);
      if (output.exitCode !== 0 && !options.nothrow) throw new CommandError(command, output);
      return output;
    } finally {
      deadline.clear();
    }
  };
}

interface ChildSettings {
  env: Record<string, string>;
  signal: AbortSignal;
}

async function runQuietly(command: readonly string[], { env, signal }: ChildSettings): Promise<Output> {
  // Loaded when it is needed: help and what only lists runs nothing.
  const { $ } = await import('zx/core');
  const shell = $({
    env,
    quiet: true,
    // Not bash, which would read the user's BASH_ENV first.
    shell: '/bin/sh',
    quote: shellWord,
    // A group of its own, which is ended as a whole; a Ctrl-C of the terminal reaches us alone.
    detached: true,
    spawn: ((file: string, args: string[], options: object): ChildProcess => {
      const child = spawn(file, args, options);
      superviseChild(child, signal);
      return child;
    }) as typeof spawn,
    nothrow: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    // In place of zx's own, which has the shell say what it does.
    prefix: startGate,
    postfix: '',
  });
  const result = await shell`exec ${[...command]}`;
  return { stdout: result.stdout, stderr: result.stderr, exitCode: result.exitCode ?? 1 };
}

/**
 * Starts a program that runs for long, or takes a secret on standard input. It ends with the signal, or with this process.
 * @param settings `input` is all of its standard input; without it that stays open. With `buffer: false` the streams have to be
 * read as they come, and are not kept.
 * @returns execa's child, in an object, because it is a promise of its end itself, which never rejects.
 */
export async function startProcess(
  command: readonly string[],
  { signal, ...settings }: ChildSettings & { input?: string | Uint8Array; buffer?: boolean },
) {
  // Loaded when it is needed: most commands that only look never feed a child.
  const { execa } = await import('execa');
  const child = execa('/bin/sh', gatedArguments(command), {
    ...settings,
    extendEnv: false,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    reject: false,
    stripFinalNewline: false,
  });
  superviseChild(child as unknown as ChildProcess, signal);
  return { child };
}

async function runWithInput(
  command: readonly string[],
  settings: ChildSettings & { input: string | Uint8Array },
): Promise<Output> {
  const { stdout, stderr, exitCode, shortMessage } = await (await startProcess(command, settings)).child;
  return { stdout, stderr: exitCode === undefined ? stderr || (shortMessage ?? '') : stderr, exitCode: exitCode ?? 1 };
}

/**
 * Runs a program that takes over this process's terminal, or its streams, until it ends. It stays in our process group, so
 * that the terminal is its own and Ctrl-C is for what runs in it. With an `input` it gets that in place of our standard input,
 * and no end behind it. Returns its exit code, 130 where the signal ended it.
 * Throws a `UserError` where it can't be started.
 */
export function runInteractively(
  [file, ...args]: readonly [string, ...string[]],
  { env, signal, input }: { env: Record<string, string>; signal: AbortSignal; input?: string | undefined },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, stdio: [input === undefined ? 'inherit' : 'pipe', 'inherit', 'inherit'] });
    // A program that ended before it read tells why itself.
    child.stdin?.on('error', () => {}).write(input ?? '');
    const end = () => child.kill();
    signal.addEventListener('abort', end, { once: true });
    child.once('error', (cause) => reject(new UserError(`${file} could not be started: ${cause.message}`, { cause })));
    child.once('close', (code) => {
      signal.removeEventListener('abort', end);
      resolve(code ?? 130);
    });
  });
}
