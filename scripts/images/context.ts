import type { ClusterContext } from '../kubernetes/context.ts';
import type { Credentials } from './credentials/credentials.ts';
import type { ImageStore } from './store.ts';
import type { UnpackedImages } from './unpacked.ts';

/** The same, with the images and how they get to the node: what everything from here upwards works with. */
export interface Context extends ClusterContext {
  images: ImageStore;
  /** The same for another container that runs containerd, and only holds them to be kept. */
  imagesToKeep(container: string): ImageStore;
  /** The images of whole nodes, unpacked. */
  unpacked: UnpackedImages;
  /** What the services' images are pulled with. */
  credentials: Credentials;
}
