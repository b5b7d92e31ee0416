import type { ImageStore } from './store.ts';

/**
 * The images of nodes that are not on this machine: they pull what they need by themselves, and nobody here can look at what
 * they have, add to it, or keep it.
 */
export const imagesElsewhere: ImageStore = {
  pull: nowhere,
  ensure: async () => [],
  inNode: async () => new Map(),
  importAs: nowhere,
  keep: async () => ({ images: [], bytes: 0, missing: [] }),
  ofPlatform: async () => new Map(),
  forget: () => {},
};

async function nowhere(): Promise<never> {
  throw new Error('no image can be put into a node that is not on this machine');
}
