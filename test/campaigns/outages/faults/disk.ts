import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Fault } from '../fault.ts';
import { setKubelet } from '../kubelet.ts';
import type { World } from '../world.ts';
import { forgetImage } from './registry.ts';

const missing = () => (process.getuid?.() === 0 ? undefined : 'only root can mount a small file system');
const content = '/var/lib/containerd/io.containerd.content.v1.content';

/** A disk is full: that of the downloads, that of the checkout, that of the node. No real one is filled. */
export const disk: readonly Fault[] = [
  {
    name: 'disk of the downloads full',
    missing,
    ends: 'message',
    says: [/argo-cd: Could not download .*the file cannot be written \(ENOSPC\)/, /→ Make room in the cache folder/],
    within: 120,
    plant(world) {
      const folder = mkdtempSync(join(tmpdir(), 'small '));
      world.undo(() => rmSync(folder, { recursive: true, force: true }));
      mountSmall(world, folder);
      return world.types('up', { env: { XDG_CACHE_HOME: folder } });
    },
  },
  {
    name: 'disk of the checkout full',
    missing,
    ends: 'message',
    says: [/A file could not be written: ENOSPC/, /→ Make room \(df -h\)/],
    within: 60,
    plant(world) {
      const folder = join(world.person.clone, '.state');
      mkdirSync(folder, { recursive: true });
      mountSmall(world, folder);
      spawnSync('dd', ['if=/dev/zero', `of=${join(folder, 'fill')}`, 'bs=4k'], { stdio: 'ignore' });
      return world.types('up');
    },
  },
  {
    name: "disk of the node's images full",
    ends: 'message',
    says: [/prometheus: .*could not be pulled .*no space left on device/, /→ The disk is full/],
    within: 120,
    async plant(world) {
      await forgetImage(world, 'prometheus');
      world.undo(() => world.inNode(`if mountpoint -q ${content}; then umount -l ${content}; fi`));
      await world.inNode(
        `mount -t tmpfs -o size=3m tmpfs ${content}; mkdir -p ${content}/ingest ${content}/blobs/sha256`,
      );
      return world.types('up --timeout 60');
    },
  },
  {
    name: 'node under disk pressure',
    ends: 'message',
    says: [
      /taints of the node: node\.kubernetes\.io\/disk-pressure/,
      /→ The disk that Docker keeps its images on is nearly full/,
    ],
    within: 180,
    async plant(world) {
      // With time to mend it the kubelet says that the disk is nearly full, and evicts nobody yet.
      await setKubelet(
        world,
        {
          evictionSoft: { 'nodefs.available': '99.9%' },
          evictionSoftGracePeriod: { 'nodefs.available': '1h' },
        },
        'DiskPressure',
      );
      await world.kubectl('delete', 'pods', '--all', '--namespace=observability');
      return world.types('up --timeout 60');
    },
  },
];

/** Mounts a file system of half a megabyte, of this person's. */
function mountSmall(world: World, folder: string): void {
  const image = join(mkdtempSync(join(tmpdir(), 'image ')), 'image');
  world.undo(() => rmSync(join(image, '..'), { recursive: true, force: true }));
  for (const [program, ...args] of [
    ['truncate', '--size=512K', image],
    ['mkfs.ext4', '-q', '-m', '0', image],
    ['mount', '-o', 'loop', image, folder],
  ] as const) {
    const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${program}: ${stderr}`);
  }
  world.undo(() => spawnSync('umount', ['-l', folder]));
  const { uid, gid } = statSync(world.person.clone);
  chownSync(folder, uid, gid);
}
