import { Interrupted, messageOf, UserError } from '../../lib/errors.ts';
import type { Item } from './item.ts';

/** What is there all the same after it was removed, and why, where that is known. */
export interface Leftover {
  item: Item;
  reason: string | undefined;
}

/**
 * Removes the items one after the other, and then looks at each, and anew for others. One that fails does not keep the
 * rest from going. Hands back what is left. Throws `Interrupted`, or what `findAgain` throws.
 */
export async function removeAll(
  items: readonly Item[],
  findAgain: () => Promise<readonly Item[]>,
  signal: AbortSignal,
): Promise<Leftover[]> {
  const reasons = new Map<string, string>();
  for (const item of items) {
    if (signal.aborted) throw new Interrupted();
    try {
      await item.remove?.();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      reasons.set(keyOf(item), error.hint === undefined ? messageOf(error) : `${messageOf(error)} → ${error.hint}`);
    }
  }
  const there = await Promise.all(items.map((item) => item.isThere()));
  const known = new Set(items.map(keyOf));
  const others = (await findAgain()).filter((item) => !known.has(keyOf(item)));
  return [...items.filter((_, index) => there[index]), ...others].map((item) => ({
    item,
    reason: reasons.get(keyOf(item)),
  }));
}

function keyOf({ kind, name }: Item): string {
  return `${kind} ${name}`;
}
