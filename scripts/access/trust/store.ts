import { authorityName } from '../../lib/certificates/authority.ts';
import { UserError } from '../../lib/errors.ts';
import type { Exec, Output } from '../../lib/exec.ts';

/** A place where a browser or a system looks up whom it trusts, that this user may write to. */
export interface TrustStore {
  title: string;
  /** The authorities of ours that are in it, and whether they are trusted. Throws a `UserError` where it can't be read. */
  list(): Promise<{ name: string; trusted: boolean }[]>;
  add(authority: { name: string; file: string }): Promise<void>;
  remove(name: string): Promise<void>;
}

/** What stores are reached with. */
export interface Reach {
  exec: Exec;
  home: string;
  /** Where programs keep their settings: XDG_CONFIG_HOME. */
  configHome: string;
}

/** The names of our authorities in a text: the fixed part, and eight hexadecimal digits of their own. */
export function namesIn(text: string): string[] {
  return [...new Set(text.match(new RegExp(`${authorityName} [0-9a-f]{8}\\b`, 'g')) ?? [])];
}

/** Runs a command of a store. Throws a `UserError` with what it said where it fails. */
export async function told(exec: Exec, command: readonly [string, ...string[]]): Promise<Output> {
  const output = await exec(command, { nothrow: true, timeout: 120_000 });
  if (output.exitCode === 0) return output;
  const said = `${output.stderr.trim()}\n${output.stdout.trim()}`.trim().split('\n')[0] ?? '';
  throw new UserError(`${command[0]} ended with exit code ${output.exitCode}: ${said}`);
}
