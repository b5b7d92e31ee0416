import { Interrupted } from './errors.ts';

/** A step, and the names of those that must be done before it. */
export interface Task {
  name: string;
  needs: readonly string[];
  run(): Promise<void>;
}

export type Result = { state: 'done' } | { state: 'failed'; error: unknown } | { state: 'skipped'; because: string };

/**
 * Runs every task as soon as what it needs is done, independent ones side by side. A failed one takes those that need
 * it with it; the others go on, so that the next try has less to do. Throws `Interrupted` once all have stopped, and an
 * `Error` for needs that name no task or form a ring.
 */
export async function runGraph(tasks: readonly Task[]): Promise<Map<string, Result>> {
  checkOrder(tasks);
  const running = new Map<string, Promise<Result>>();
  for (const task of tasks) {
    running.set(
      task.name,
      follow(
        task,
        task.needs.map((need) => [need, running.get(need)] as const),
      ),
    );
  }
  const results = new Map<string, Result>();
  for (const [name, result] of running) results.set(name, await result);
  for (const result of results.values()) {
    if (result.state === 'failed' && result.error instanceof Interrupted) throw result.error;
  }
  return results;
}

async function follow(task: Task, needs: (readonly [string, Promise<Result> | undefined])[]): Promise<Result> {
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
