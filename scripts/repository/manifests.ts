import { createHash } from 'node:crypto';
import { dirname } from 'node:path/posix';
import type { ClusterContext } from '../kubernetes/context.ts';
import { identityOf, type KubeObject, parseObjects } from '../kubernetes/objects.ts';
import type { Job, PodSpec, Workload } from '../kubernetes/types.ts';
import { withTemplates, workloadKinds } from '../kubernetes/workloads.ts';
import { filesBelow, readText, understood } from './text.ts';

/**
 * The objects of manifest files, given from the repository's top folder, in order.
 * @throws UserError where one can't be read.
 */
export async function readManifests(root: string, files: readonly string[]): Promise<KubeObject[]> {
  const texts = await Promise.all(files.map((file) => readText(root, file)));
  return texts.flatMap((text, index) => understood(files[index] ?? '', () => parseObjects(text)));
}

/** What kubectl takes for a manifest. */
export const manifestName = /\.(ya?ml|json)$/;

/**
 * The objects of a folder as `kubectl apply -f` reads it: the manifests in the folder itself, in the order of their names. One
 * that several of them have, as the Namespace, is there once, and Namespaces come first.
 * @param folder from the repository's top
 * @param except manifests that are left out
 * @throws UserError where one can't be read.
 */
export async function readManifestFolder(
  root: string,
  folder: string,
  except: readonly string[] = [],
): Promise<KubeObject[]> {
  const own = (await filesBelow(root, folder)).filter((file) => dirname(file) === folder && manifestName.test(file));
  const objects = await readManifests(
    root,
    own.filter((file) => !except.includes(file)),
  );
  const once = [...new Map(objects.map((object) => [identityOf(object), object])).values()];
  const first = new Set(holders(once));
  return [...first, ...once.filter((object) => !first.has(object))];
}

/** The images that the workloads among the objects run, each once. */
export function imagesOf(objects: readonly KubeObject[]): string[] {
  const specs = objects.filter(({ kind }) => workloadKinds.has(kind)).map((object) => podSpecOf(object));
  return [
    ...new Set(
      specs.flatMap(({ initContainers = [], containers }) =>
        [...initContainers, ...containers].map(({ image }) => image),
      ),
    ),
  ];
}

function podSpecOf(object: KubeObject): PodSpec {
  return (object as Workload | Job).spec.template.spec;
}

/**
 * Writes a checksum of the ConfigMaps into the pod templates beside them: pods read their configuration when they
 * start, so a change of it has to restart them.
 */
export function restartOnConfigChange(objects: readonly KubeObject[]): KubeObject[] {
  const configuration = objects.filter(({ kind }) => kind === 'ConfigMap').map(({ data }) => data);
  const checksum = createHash('sha256').update(JSON.stringify(configuration)).digest('hex').slice(0, 16);
  return withTemplates(objects, ({ metadata }: { metadata: { annotations?: object } }) => {
    metadata.annotations = { ...metadata.annotations, 'platform-ops/config-checksum': checksum };
  });
}

/** Namespaces and CRDs: what other objects live in, and what takes them with it when it goes. */
export function holders(objects: readonly KubeObject[]): KubeObject[] {
  return objects.filter(({ kind }) => kind === 'Namespace' || kind === 'CustomResourceDefinition');
}

/** Reads manifests once for a context, however often a component is asked. */
export function memoizePerContext<Given extends ClusterContext, Read>(
  make: (context: Given) => Promise<Read>,
): (context: Given) => Promise<Read> {
  const made = new WeakMap<Given, Promise<Read>>();
  return (context) => {
    const known = made.get(context);
    if (known) return known;
    const making = make(context);
    made.set(context, making);
    return making;
  };
}
