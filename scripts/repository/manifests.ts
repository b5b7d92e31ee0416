import { createHash } from 'node:crypto';
import type { ClusterContext } from '../kubernetes/context.ts';
import { generate, kustomizationFile, readKustomization } from '../kubernetes/kustomization.ts';
import { type KubeObject, parseObjects } from '../kubernetes/objects.ts';
import type { Job, PodSpec, Workload } from '../kubernetes/types.ts';
import { withTemplates, workloadKinds } from '../kubernetes/workloads.ts';
import { parseManifest } from '../lib/yaml-cache.ts';
import { readText, understood } from './text.ts';

/**
 * The objects of manifest files, given from the repository's top folder, in order.
 * @throws UserError where one can't be read.
 */
export async function readManifests(root: string, files: readonly string[]): Promise<KubeObject[]> {
  const texts = await Promise.all(files.map((file) => readText(root, file)));
  return texts.flatMap((text, index) => understood(files[index] ?? '', () => parseObjects(text)));
}

/**
 * The objects that `kubectl apply -k` would make of a folder, given from the repository's top: the ConfigMaps that its
 * kustomization.yaml makes of files, and then its manifests. Throws where one can't be read.
 */
export async function readKustomizedObjects(root: string, folder: string): Promise<KubeObject[]> {
  const read = (path: string) => readText(root, `${folder}/${path}`);
  const file = `${folder}/${kustomizationFile}`;
  const text = await read(kustomizationFile);
  const { resources, configMaps } = understood(file, () => readKustomization(parseManifest(text)));
  const paths = configMaps.flatMap(({ files }) => files.map(({ path }) => path));
  const contents = new Map(await Promise.all(paths.map(async (path) => [path, await read(path)] as const)));
  const manifests = await readManifests(
    root,
    resources.map((resource) => `${folder}/${resource}`),
  );
  // Namespaces first, as kustomize has it: the others live in them.
  const namespaces = new Set(holders(manifests));
  const others = manifests.filter((object) => !namespaces.has(object));
  const generated = understood(file, () => configMaps.map((map) => generate(map, contents)));
  return [...namespaces, ...generated, ...others];
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
