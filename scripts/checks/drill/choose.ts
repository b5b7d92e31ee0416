import { UsageError } from '../../lib/errors.ts';
import { closest } from '../../lib/text.ts';
import type { Drill } from './drill.ts';

/** Those of the drills that `--only` names, in their own order; all where it names none. Throws a `UsageError`. */
export function choose(drills: readonly Drill[], only: unknown): readonly Drill[] {
  if (typeof only !== 'string') return drills;
  const names = drills.map(({ name }) => name);
  const wanted = only.split(',').map((name) => name.trim());
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const meant = closest(unknown, names);
    throw new UsageError(
      `There is no drill "${unknown}".`,
      meant ? `Did you mean ${meant}?` : `There are: ${names.join(', ')}.`,
    );
  }
  return drills.filter(({ name }) => wanted.includes(name));
}
