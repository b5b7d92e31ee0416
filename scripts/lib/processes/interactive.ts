import { spawn } from 'node:child_process';
import { UserError } from '../errors.ts';

/**
 * Runs a program that takes over this process's terminal, or its streams, until it ends. It stays in our process group, so
 * that the terminal is its own and Ctrl-C is for what runs in it. Hands back its exit code, 130 where the signal ended it.
 * Throws a `UserError` where it can't be started.
 */
export function takeOver(
  [file, ...args]: readonly [string, ...string[]],
  { env, signal }: { env: Record<string, string>; signal: AbortSignal },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, stdio: 'inherit' });
    const end = () => child.kill();
    signal.addEventListener('abort', end, { once: true });
    child.once('error', (cause) => reject(new UserError(`${file} could not be started: ${cause.message}`, { cause })));
    child.once('close', (code) => {
      signal.removeEventListener('abort', end);
      resolve(code ?? 130);
    });
  });
}
