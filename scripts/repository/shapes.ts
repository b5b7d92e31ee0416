/**
 * What a broken manifest holds may have any shape, and saying so is another check's task. These read it as if it had the
 * shape that is wanted, with nothing in it where it has not; the places in lists stay what they are.
 */

/** A map, or an empty one. */
export function mapIn<T extends object>(value: unknown): Partial<T> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Partial<T>) : {};
}

/** The maps of a list. */
export function mapsIn<T extends object>(value: unknown): Partial<T>[] {
  return Array.isArray(value) ? value.map((each) => mapIn<T>(each)) : [];
}

/** The texts of a list. */
export function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
