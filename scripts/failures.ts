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
  const told = failures.map(({ name, error }) => ({
    text: `${name}: ${messageOf(error)}`,
    hint: (error as UserError).hint ?? 'npm run doctor',
  }));
  const last = told.pop();
  const before = told.map(({ text, hint }) => `${text}\n  → ${hint}\n✖ `).join('');
  throw new UserError(`${before}${last?.text}`, {
    hint: last?.hint ?? '',
    exitCode: (first.error as UserError).exitCode,
    cause: first.error,
  });
}
