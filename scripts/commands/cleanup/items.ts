import { Interrupted, messageOf, UserError } from '../../lib/errors.ts';

/** Something that the platform brought to this machine, and that `down` takes away and looks for afterwards. */
export interface CleanupItem {
  kind: 'process' | 'container' | 'volume' | 'network' | 'port' | 'file' | 'image' | 'trust';
  /** As a person reads it. */
  name: string;
  /** None for what goes together with another item. Throws a `UserError` with the reason where it fails. */
  remove?(): Promise<void>;
  isThere(): Promise<boolean>;
}

/** What was found, in the order in which it has to go, and what a person should know of what stays. */
export interface CleanupItems {
  items: CleanupItem[];
  notes: string[];
}

/** What is there all the same after it was removed, and why, where that is known. */
export interface Leftover {
  item: CleanupItem;
  reason: string | undefined;
}

/**
 * Removes the items one after the other, and then looks at each, and again for others. One that fails does not keep the
 * rest from going. Returns what is left. Throws `Interrupted`, or what `findAgain` throws.
 */
export async function removeItems(
  items: readonly CleanupItem[],
  findAgain: () => Promise<readonly CleanupItem[]>,
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

function keyOf({ kind, name }: CleanupItem): string {
  return `${kind} ${name}`;
}
