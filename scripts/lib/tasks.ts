import { Interrupted, messageOf, UserError } from './errors.ts';

/** A step, and the names of those that must be done before it. */
export interface Task {
  name: string;
  needs: readonly string[];
  run(): Promise<void>;
}

export type TaskResult =
  | { state: 'done' }
  | { state: 'failed'; error: unknown }
  | { state: 'skipped'; because: string };

/**
 * Runs every task as soon as what it needs is done, independent ones side by side. A failed one takes those that need
 * it with it; the others go on, so that the next try has less to do. Throws `Interrupted` once all have stopped, and an
 * `Error` for needs that name no task or form a ring.
 */
export async function runGraph(tasks: readonly Task[]): Promise<Map<string, TaskResult>> {
  checkOrder(tasks);
  const running = new Map<string, Promise<TaskResult>>();
  for (const task of tasks) {
    running.set(
      task.name,
      follow(
        task,
        task.needs.map((need) => [need, running.get(need)] as const),
      ),
    );
  }
  const results = new Map<string, TaskResult>();
  for (const [name, result] of running) results.set(name, await result);
  for (const result of results.values()) {
    if (result.state === 'failed' && result.error instanceof Interrupted) throw result.error;
  }
  return results;
}

async function follow(task: Task, needs: (readonly [string, Promise<TaskResult> | undefined])[]): Promise<TaskResult> {
  for (const [need, result] of needs) {
    if ((await result)?.state !== 'done') return { state: 'skipped', because: need };
  }
  try {
    await task.run();
    return { state: 'done' };
  } catch (error) {
    return { state: 'failed', error };
  }
}

/** The list is written in an order in which each task stands behind what it needs, which also rules out rings. */
function checkOrder(tasks: readonly Task[]): void {
  const before = new Set<string>();
  for (const { name, needs } of tasks) {
    for (const need of needs)
      if (!before.has(need)) throw new Error(`${name} needs ${need}, which does not stand before it in the list`);
    before.add(name);
  }
}

/**
 * Throws a `UserError` that names every step that failed, with its hint; those that failed for the same reason together. A
 * bug is thrown as it is. Does nothing where none failed.
 */
export function assertNoFailures(results: ReadonlyMap<string, TaskResult>): void {
  const failures = [...results].flatMap(([name, result]) =>
    result.state === 'failed' ? [{ name, error: result.error }] : [],
  );
  if (failures.length === 0) return;
  // A bug is shown with its stack, not wrapped into a sentence.
  const bug = failures.find(({ error }) => !(error instanceof UserError));
  if (bug) throw bug.error;
  throw joinErrors(groupByReason(failures));
}

/** Makes one error of several, each with its hint. The exit code is that of the first. */
function joinErrors(errors: readonly UserError[]): UserError {
  const told = [...errors];
  const last = told.pop();
  const before = told.map(({ message, hint }) => `${message}\n  → ${hint}\n✖ `).join('');
  return new UserError(`${before}${last?.message}`, {
    id: errors.flatMap(({ ids }) => ids),
    hint: last?.hint,
    ...(errors[0] && { exitCode: errors[0].exitCode, cause: errors[0].cause ?? errors[0] }),
  });
}

/** A Docker that is gone, say, is the one reason for many steps; what a reason says of its own step is no other one. */
function groupByReason(failures: readonly { name: string; error: unknown }[]): UserError[] {
  const groups = new Map<string, { names: string[]; error: UserError }>();
  for (const { name, error } of failures) {
    const known = error as UserError;
    const key = `${messageOf(error)}\n${known.hint}`.replaceAll(name, '');
    const group = groups.get(key) ?? { names: [], error: known };
    group.names.push(name);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ names, error }) => {
    const { hint = 'npm run doctor', exitCode } = error;
    const title = names.join(', ');
    const message = error.message.startsWith(`${title} `) ? error.message : `${title}: ${error.message}`;
    return new UserError(message, { hint, exitCode, cause: error });
  });
}

/** Makes a function that runs what it is given, at most `count` at the same time, the others in the order they came. */
export function limitConcurrency(count: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= count) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await work();
    } finally {
      // The place goes straight to the next one, so that no other slips in between.
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}

/** One attempt for all who ask by the same key; a failed one is forgotten, so that the next who asks tries again. */
export function shared<K, T>(attempts: Map<K, Promise<T>>, key: K, attempt: () => Promise<T>): Promise<T> {
  const known = attempts.get(key);
  if (known) return known;
  const made = attempt();
  made.catch(() => attempts.delete(key));
  attempts.set(key, made);
  return made;
}
