import { messageOf, UserError } from './lib/errors.ts';
import type { Result } from './lib/graph.ts';

/**
 * Throws a `UserError` that names every step that failed, with its hint; those that failed for the same reason together. A
 * bug is thrown as it is. Does nothing where none failed.
 */
export function refuseFailures(results: ReadonlyMap<string, Result>): void {
  const failures = [...results].flatMap(([name, result]) =>
    result.state === 'failed' ? [{ name, error: result.error }] : [],
  );
  const [first] = failures;
  if (first === undefined) return;
  // A bug is shown with its stack, not wrapped into a sentence.
  const bug = failures.find(({ error }) => !(error instanceof UserError));
  if (bug) throw bug.error;
  const told = grouped(failures);
  const last = told.pop();
  const before = told.map(({ text, hint }) => `${text}\n  → ${hint}\n✖ `).join('');
  throw new UserError(`${before}${last?.text}`, {
    hint: last?.hint ?? '',
    exitCode: (first.error as UserError).exitCode,
    cause: first.error,
  });
}

/** A Docker that is gone, say, is the one reason for many steps. */
function grouped(failures: readonly { name: string; error: unknown }[]): { text: string; hint: string }[] {
  const groups = new Map<string, { names: string[]; message: string; hint: string }>();
  for (const { name, error } of failures) {
    const message = messageOf(error);
    const hint = (error as UserError).hint ?? 'npm run doctor';
    const key = `${message}\n${hint}`;
    const group = groups.get(key) ?? { names: [], message, hint };
    group.names.push(name);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ names, message, hint }) => ({ text: `${names.join(', ')}: ${message}`, hint }));
}
