import { argocd } from '../config/versions.ts';
import { type KubeObject, parseObjects, verbatim, withField } from '../kubernetes/objects.ts';
import { withTemplate } from '../kubernetes/workloads.ts';
import { argocdNamespace } from '../repository/applications.ts';

const clusterWide = /^(CustomResourceDefinition|Cluster)/;

/** The fields of a version of a definition, as the manifest is indented. */
const schema = /^ {4}schema:\n(?: {6}.*\n| *\n)*/m;
const anyFields = `    schema:
      openAPIV3Schema:
        type: object
        x-kubernetes-preserve-unknown-fields: true
`;

/**
 * The objects of the manifest that Argo CD's release has for installing it; without what a laptop does not need, unless it is
 * wanted in `full`. Throws for YAML that is broken.
 */
export function readRelease(manifest: string, full: boolean): KubeObject[] {
  const objects = trim(splitManifest(manifest, full), full);
  return full ? objects : objects.map(withoutPasswordMaker);
}

/**
 * Redis' password is made before Redis is (argo-cd.ts), so its own way of making one has nothing to do. It would have to reach
 * the API server all the same, also when the node wakes and there is no way to it yet: then it dies, and Redis waits.
 */
function withoutPasswordMaker(object: KubeObject): KubeObject {
  if (object.kind !== 'Deployment' || object.metadata.name !== 'argocd-redis') return object;
  return withTemplate(object, ({ spec }: { spec: { initContainers?: { name: string }[] } }) => {
    spec.initContainers = spec.initContainers?.filter(({ name }) => name !== 'secret-init') ?? [];
  });
}

/**
 * The server watches ApplicationSets, so their definition has to be there; but without their controller nobody makes one, and
 * its fields are three quarters of the manifest, which the API server would read again at each step of taking it in.
 */
function splitManifest(manifest: string, full: boolean): KubeObject[] {
  return manifest.split(/^---$/m).flatMap((text) => {
    if (/^kind: CustomResourceDefinition$/m.test(text)) {
      const spare = !full && /^ {2}name: applicationsets\./m.test(text);
      return [verbatim(spare ? text.replace(schema, anyFields) : text)];
    }
    const objects = parseObjects(text, argocd.installUrl);
    for (const { kind, metadata } of objects) if (!clusterWide.test(kind)) metadata.namespace = argocdNamespace;
    return objects;
  });
}

/**
 * Leaves out single sign-on, the notifications and the ApplicationSet controller, which nothing here uses and which
 * cost a laptop memory and start-up time. The definitions of all resources stay: the server watches them.
 */
export function trim(objects: readonly KubeObject[], full: boolean): KubeObject[] {
  const spare = /^argocd-(dex-server|notifications|applicationset-controller)/;
  return objects.filter(({ metadata }) => full || !spare.test(metadata.name));
}

/** Adds our settings to Argo CD's, and makes its programs start as soon as they can. */
export function adapt(object: KubeObject, settings: readonly KubeObject[]): KubeObject {
  const ours = settings.find(({ kind, metadata }) => kind === object.kind && metadata.name === object.metadata.name);
  if (ours) return withField(object, 'data', (data) => ({ ...(data as object | undefined), ...(ours.data as object) }));
  return object.kind === 'Deployment' || object.kind === 'StatefulSet' ? withTemplate(object, hasten) : object;
}

interface Container {
  imagePullPolicy?: string;
  readinessProbe?: { initialDelaySeconds?: number; periodSeconds?: number };
}

/**
 * The node may keep the images: their tags are pinned, so "Always" only costs time. And readiness is asked every two
 * seconds: the server's own probe looks only twice a minute, which would be half of the time that `up` takes.
 */
function hasten({ spec }: { spec: { initContainers?: Container[]; containers: Container[] } }): void {
  const { initContainers = [], containers } = spec;
  for (const container of [...initContainers, ...containers]) {
    container.imagePullPolicy = 'IfNotPresent';
    if (container.readinessProbe) Object.assign(container.readinessProbe, { initialDelaySeconds: 1, periodSeconds: 2 });
  }
}
