import type { Context } from '../context.ts';
import { UserError } from '../lib/errors.ts';
import { CommandError } from '../lib/exec.ts';
import { type KubeObject, nameOf, toYaml } from '../lib/objects.ts';

/**
 * Deletes those of the objects that the cluster has, but none that are among `kept`, and waits until they are gone.
 * Hands back their names. Webhooks go first, since one that nobody answers any more refuses what it was to judge; the
 * rest in reverse order, so that a namespace goes after what is in it. Throws a `UserError` for what does not go away.
 */
export async function removeObjects(
  context: Context,
  objects: readonly KubeObject[],
  kept: readonly KubeObject[] = [],
): Promise<string[]> {
  const keptNames = new Set(kept.map(identity));
  const doomed = await present(
    context,
    objects.filter((object) => !keptNames.has(identity(object))),
  );
  if (doomed.length === 0) return [];
  const kubectl = await context.kubectl();
  const inOrder = [...doomed.filter(isWebhook), ...doomed.filter((object) => !isWebhook(object)).reverse()];
  const timeout = ['--wait=true', `--timeout=${Math.round(context.timeout / 1000)}s`];
  try {
    await kubectl.run(['delete', '--ignore-not-found', ...timeout, '-f', '-'], { input: toYaml(inOrder.map(head)) });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new UserError(`Could not be removed: ${error.output.stderr.trim().split('\n').at(-1)}`, {
      hint: 'npm run up tries again; npm run down && npm run up starts afresh.',
      cause: error,
    });
  }
  context.view().forget();
  return inOrder.map((object) => `${nameOf(object)} (removed)`);
}

/** The objects that the cluster has. Asks once for each kind. */
async function present(context: Context, objects: readonly KubeObject[]): Promise<KubeObject[]> {
  const kinds = [...new Set(objects.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`))];
  const lists = await Promise.all(
    kinds.map((key) => {
      const [apiVersion = '', kind = ''] = key.split(' ');
      return context.api().listMetadata(apiVersion, kind);
    }),
  );
  const known = new Set(lists.flat().map(identity));
  return objects.filter((object) => known.has(identity(object)));
}

function identity({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.namespace ?? ''} ${metadata.name}`;
}

function isWebhook({ kind }: KubeObject): boolean {
  return kind.endsWith('WebhookConfiguration');
}

/** What names an object, which is all that deleting it takes. */
function head({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata: { name, ...(namespace !== undefined && { namespace }) } };
}
