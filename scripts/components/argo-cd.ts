import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { argocd } from '../config/versions.ts';
import type { Context } from '../images/context.ts';
import { ApiError } from '../kubernetes/api/api.ts';
import { type KubeObject, parseObjects, verbatim, withField } from '../kubernetes/objects.ts';
import { ensureSecret } from '../kubernetes/secret.ts';
import { withTemplate } from '../kubernetes/workloads.ts';
import { download } from '../lib/http/download.ts';
import { applicationApi, argocdNamespace } from '../repository/applications.ts';
import { readManifests } from '../repository/manifests.ts';
import { install } from './installation.ts';
import { argocdPassword } from './passwords.ts';
import { routeTable, siteUrl } from './routes.ts';

const redisPassword = { namespace: argocdNamespace, name: 'argocd-redis' };

const namespaceHead = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: argocdNamespace } };

/** Argo CD from its own release manifest, trimmed for a laptop. */
export const argoCd = install({
  name: 'argo-cd',
  needs: ['cluster'],
  objects: argoCdObjects,
  // The namespace is here as well, since it has to be known without the manifest, too.
  made: [namespaceHead, secretNamed(redisPassword.name)],
  grown: [secretNamed(argocdPassword.secret)],
  prepare: ensureRedisPassword,
  missing: crdsNotServed,
  detail: ({ config }) => `${argocd.version}${config.argocdFull ? ', in full' : ''}`,
});

async function argoCdObjects(context: Context): Promise<KubeObject[]> {
  const { config, signal, downloads } = context;
  const file = await download({
    url: argocd.installUrl,
    sha256: argocd.installSha256,
    cacheDir: join(config.cacheDir, 'downloads'),
    fileName: `argo-cd-${argocd.version}-install.yaml`,
    signal,
    ...downloads,
  });
  const [manifest, settings, metrics] = await Promise.all([
    readFile(file, 'utf8'),
    readManifests(config.root, ['cluster/argocd/argocd-cm.yaml', 'cluster/argocd/argocd-cmd-params-cm.yaml']),
    readManifests(config.root, ['cluster/argocd/metrics.yaml']),
  ]);
  const local = settings.map((object) => (object.metadata.name === 'argocd-cm' ? withUrl(context, object) : object));
  const release = readRelease(manifest, config.argocdFull).map((object) => adapt(object, local));
  return [argocdNamespaceObject, ...release, ...metrics];
}

function withUrl(context: Context, settings: KubeObject): KubeObject {
  const site = routeTable.find(({ secret }) => secret?.namespace === argocdNamespace);
  return withField(settings, 'data', (data) => ({ ...(data as object), ...(site && { url: siteUrl(context, site) }) }));
}

/** A definition that was made a moment ago is not served at once, and nothing of its kind can be applied before. */
async function crdsNotServed(context: Context): Promise<string | undefined> {
  try {
    const { resources } = await context.api().json<{ resources: { name: string }[] }>(`/apis/${applicationApi}`);
    const served = new Set(resources.map(({ name }) => name));
    if (served.has('applications') && served.has('appprojects')) return undefined;
  } catch (error) {
    if (!(error instanceof ApiError) || error.status === 403) throw error;
  }
  return "Argo CD's resource definitions are not served yet";
}

function secretNamed(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: argocdNamespace } };
}

/**
 * The manifest names no namespace of its own: it is to be applied into one. Of an object without a field of ours the API
 * server would not keep that we applied it; so it has a label.
 */
export const argocdNamespaceObject: KubeObject = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: argocdNamespace, labels: { 'app.kubernetes.io/managed-by': 'platform-ops' } },
};

/** Argo CD's Redis makes this itself when it starts; those that need it start at the same time and would wait for a retry. */
function ensureRedisPassword(context: Context): Promise<string[]> {
  const make = () => ({ type: 'Opaque', stringData: { auth: randomBytes(18).toString('base64url') } });
  return ensureSecret(context, redisPassword, make, [argocdNamespaceObject]);
}

const clusterWide = /^(CustomResourceDefinition|Cluster)/;

/** The fields of a version of a definition, as the manifest is indented. */
const crdSchema = /^ {4}schema:\n(?: {6}.*\n| *\n)*/m;
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
  return full ? objects : objects.map(withoutSecretInit);
}

/**
 * Redis' password is made before Redis is (argo-cd.ts), so its own way of making one has nothing to do. It would have to reach
 * the API server all the same, also when the node wakes and there is no way to it yet: then it dies, and Redis waits.
 */
function withoutSecretInit(object: KubeObject): KubeObject {
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
      return [verbatim(spare ? text.replace(crdSchema, anyFields) : text)];
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
function adapt(object: KubeObject, settings: readonly KubeObject[]): KubeObject {
  const ours = settings.find(({ kind, metadata }) => kind === object.kind && metadata.name === object.metadata.name);
  if (ours) return withField(object, 'data', (data) => ({ ...(data as object | undefined), ...(ours.data as object) }));
  return object.kind === 'Deployment' || object.kind === 'StatefulSet' ? withTemplate(object, tuneForStart) : object;
}

interface ArgoCdContainer {
  imagePullPolicy?: string;
  readinessProbe?: { initialDelaySeconds?: number; periodSeconds?: number };
}

/**
 * The node may keep the images: their tags are pinned, so "Always" only costs time. And readiness is asked every two
 * seconds: the server's own probe looks only twice a minute, which would be half of the time that `up` takes.
 */
function tuneForStart({ spec }: { spec: { initContainers?: ArgoCdContainer[]; containers: ArgoCdContainer[] } }): void {
  const { initContainers = [], containers } = spec;
  for (const container of [...initContainers, ...containers]) {
    container.imagePullPolicy = 'IfNotPresent';
    if (container.readinessProbe) Object.assign(container.readinessProbe, { initialDelaySeconds: 1, periodSeconds: 2 });
  }
}
