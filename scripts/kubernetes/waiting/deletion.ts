import { UserError } from '../../lib/errors.ts';
import { CommandError } from '../../lib/processes/exec.ts';
import type { Context } from '../context.ts';
import { type KubeObject, toYaml } from '../objects.ts';

/** What to do where something does not go away. */
export const whatNext = 'npm run reset goes on where it stopped; npm run down deletes the cluster as it is.';

/** Has kubectl delete the objects, and doesn't wait for them to be gone. Throws a `UserError` with its reason. */
export async function startDeleting(
  context: Context,
  objects: readonly KubeObject[],
  ...options: string[]
): Promise<void> {
  if (objects.length === 0) return;
  const kubectl = await context.kubectl();
  try {
    await kubectl.run(['delete', '--ignore-not-found', '--wait=false', ...options, '-f', '-'], {
      input: toYaml(objects.map(head)),
    });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new UserError(`Could not be removed: ${error.output.stderr.trim().split('\n').at(-1)}`, {
      hint: whatNext,
      cause: error,
    });
  }
}

/** What names an object, which is all that deleting it takes. */
function head({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata: { name, ...(namespace !== undefined && { namespace }) } };
}
