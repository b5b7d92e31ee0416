import { messageOf, UserError } from './errors.ts';
import type { Result } from './graph.ts';

/**
 * Throws a `UserError` that names every step that failed, with its hint; those that failed for the same reason together. A
 * bug is thrown as it is. Does nothing where none failed.
 */
export function refuseFailures(results: ReadonlyMap<string, Result>): void {
  const failures = [...results].flatMap(([name, result]) =>
    result.state === 'failed' ? [{ name, error: result.error }] : [],
  );
  if (failures.length === 0) return;
  // A bug is shown with its stack, not wrapped into a sentence.
  const bug = failures.find(({ error }) => !(error instanceof UserError));
  if (bug) throw bug.error;
  throw joined(grouped(failures));
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

/** A Docker that is gone, say, is the one reason for many steps. */
function grouped(failures: readonly { name: string; error: unknown }[]): UserError[] {
  const groups = new Map<string, { names: string[]; error: UserError }>();
  for (const { name, error } of failures) {
    const known = error as UserError;
    const key = `${messageOf(error)}\n${known.hint}`;
    const group = groups.get(key) ?? { names: [], error: known };
    group.names.push(name);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ names, error }) => {
    const { hint = 'npm run doctor', exitCode } = error;
    return new UserError(`${names.join(', ')}: ${messageOf(error)}`, { hint, exitCode, cause: error });
  });
}
