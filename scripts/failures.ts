import { messageOf, UserError } from './lib/errors.ts';
import type { Result } from './lib/graph.ts';

/** Throws a `UserError` that names every step that failed, each with its hint; a bug as it is. Does nothing where none failed. */
export function refuseFailures(results: ReadonlyMap<string, Result>): void {
  const failures = [...results].flatMap(([name, result]) =>
    result.state === 'failed' ? [{ name, error: result.error }] : [],
  );
  const [first] = failures;
  if (first === undefined) return;
  // A bug is shown with its stack, not wrapped into a sentence.
  const bug = failures.find(({ error }) => !(error instanceof UserError));
  if (bug) throw bug.error;
  throw joined(
    failures.map(({ name, error }) => {
      const { hint, exitCode } = error as UserError;
      return new UserError(`${name}: ${messageOf(error)}`, { hint: hint ?? 'npm run doctor', exitCode, cause: error });
    }),
  );
}

/** Makes one error of several, each with its hint. The exit code is that of the first. */
export function joined(errors: readonly UserError[]): UserError {
  const told = [...errors];
  const last = told.pop();
  const before = told.map(({ message, hint }) => `${message}\n  → ${hint}\n✖ `).join('');
  return new UserError(`${before}${last?.message}`, {
    ...(last?.hint !== undefined && { hint: last.hint }),
    ...(errors[0] && { exitCode: errors[0].exitCode, cause: errors[0].cause ?? errors[0] }),
  });
}
