/** Numbers from 0 up to 1 that look random, and are the same again for the same seed (a linear congruence, as in C). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    // The low bits of such a sequence repeat soon.
    return (state >>> 8) / 2 ** 24;
  };
}
