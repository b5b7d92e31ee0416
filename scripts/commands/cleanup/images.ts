import type { Context } from '../../images/context.ts';
import { pulledImages } from '../../images/store.ts';
import { findExisting } from '../../lib/docker/containers.ts';
import { UserError } from '../../lib/errors.ts';
import type { Item } from './item.ts';

/** The stand-ins that were built here, and the images that Docker has because we had them pulled and nobody uses. */
export async function imageItems(context: Context): Promise<{ items: Item[]; notes: string[] }> {
  const { exec, config } = context;
  const format = ['--filter', 'reference=platform-ops/stand-in-*', '--format', '{{.Repository}}:{{.Tag}}'];
  const standIns = (await exec(['docker', 'image', 'ls', ...format], { timeout: 30_000 })).stdout
    .split('\n')
    .filter((name) => /^platform-ops\/stand-in-.*:/.test(name));
  const pulled = await findExisting(exec, 'image', await pulledImages(config.cacheDir));
  const users = await Promise.all(pulled.map((image) => usersOf(context, image)));
  const unused = pulled.filter((_, index) => users[index]?.length === 0);
  const notes = pulled.flatMap((image, index) =>
    unused.includes(image) ? [] : [`The image ${image} stays: ${users[index]?.join(', ')} runs it.`],
  );
  if (!pulled.includes(config.nodeImage) && (await findExisting(exec, 'image', [config.nodeImage])).length > 0)
    notes.push(`The image ${config.nodeImage} stays: Docker had it before. docker rmi ${config.nodeImage}`);
  return { items: [...standIns, ...unused].map((name) => item(context, name)), notes };
}

/** Containers of other clusters. */
async function usersOf({ exec, node }: Context, image: string): Promise<string[]> {
  const format = ['--filter', `ancestor=${image}`, '--format', '{{.Names}}'];
  const { stdout } = await exec(['docker', 'ps', '--all', ...format], { timeout: 30_000 });
  return stdout.split('\n').filter((name) => name !== '' && name !== node);
}

function item({ exec }: Context, name: string): Item {
  return {
    kind: 'image',
    name,
    async remove() {
      const { exitCode, stderr } = await exec(['docker', 'image', 'rm', name], { nothrow: true, timeout: 60_000 });
      if (exitCode !== 0 && !/no such image/i.test(stderr))
        throw new UserError(stderr.trim().split('\n').at(-1) ?? '', { hint: `docker rmi ${name}` });
    },
    isThere: async () => (await findExisting(exec, 'image', [name])).length > 0,
  };
}
