import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from '../context.ts';
import { ApiError } from '../lib/api.ts';
import { download } from '../lib/download.ts';
import { type KubeObject, parseObjects, verbatim, withField } from '../lib/objects.ts';
import { argocd } from '../versions.ts';
import { applicationApi, argocdNamespace } from './application-api.ts';
import { install } from './installation.ts';
import { readManifests } from './manifests.ts';
import { routeTable, urlOf } from './routes.ts';
import { ensureSecret } from './secret.ts';

/** Where the first password of the user admin lies; Argo CD makes it itself. */
export const argocdPassword = { namespace: argocdNamespace, secret: 'argocd-initial-admin-secret', key: 'password' };

const redisPassword = { namespace: argocdNamespace, name: 'argocd-redis' };

/** Argo CD from its own release manifest, trimmed for a laptop. */
export const argoCd = install({
  name: 'argo-cd',
  needs: ['cluster'],
  objects: argoCdObjects,
  made: madeBesides(),
  prepare: ensureRedisPassword,
  missing: definitionsUnserved,
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
  const release = trim(splitManifest(manifest), config.argocdFull).map((object) => adapt(object, local));
  return [namespace, ...release, ...metrics];
}

function withUrl(context: Context, settings: KubeObject): KubeObject {
  const site = routeTable.find(({ secret }) => secret?.namespace === argocdNamespace);
  return withField(settings, 'data', (data) => ({ ...(data as object), ...(site && { url: urlOf(context, site) }) }));
}

/** A definition that was made a moment ago is not served at once, and nothing of its kind can be applied before. */
async function definitionsUnserved(context: Context): Promise<string | undefined> {
  try {
    const { resources } = await context.api().json<{ resources: { name: string }[] }>(`/apis/${applicationApi}`);
    const served = new Set(resources.map(({ name }) => name));
    if (served.has('applications') && served.has('appprojects')) return undefined;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
  }
  return "Argo CD's resource definitions are not served yet";
}

/** The namespace is here as well, since it has to be known without the manifest, too. */
function madeBesides(): KubeObject[] {
  const secrets = [argocdPassword.secret, redisPassword.name].map((name) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: argocdNamespace },
  }));
  return [...secrets, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: argocdNamespace } }];
}

/**
 * The manifest names no namespace of its own: it is to be applied into one. Of an object without a field of ours the API
 * server would not keep that we applied it; so it has a label.
 */
export const namespace: KubeObject = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: argocdNamespace, labels: { 'app.kubernetes.io/managed-by': 'platform-ops' } },
};

const clusterWide = /^(CustomResourceDefinition|Cluster)/;

function splitManifest(manifest: string): KubeObject[] {
  return manifest.split(/^---$/m).flatMap((text) => {
    if (/^kind: CustomResourceDefinition$/m.test(text)) return [verbatim(text)];
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
  return object.kind === 'Deployment' || object.kind === 'StatefulSet' ? withField(object, 'spec', hasten) : object;
}

interface Container {
  imagePullPolicy?: string;
  readinessProbe?: { initialDelaySeconds?: number; periodSeconds?: number };
}

/**
 * The node may keep the images: their tags are pinned, so "Always" only costs time. And readiness is asked every two
 * seconds: the server's own probe looks only twice a minute, which would be half of the time that `up` takes.
 */
function hasten(spec: unknown): unknown {
  const copy = structuredClone(spec) as {
    template: { spec: { initContainers?: Container[]; containers: Container[] } };
  };
  const { initContainers = [], containers } = copy.template.spec;
  for (const container of [...initContainers, ...containers]) {
    container.imagePullPolicy = 'IfNotPresent';
    if (container.readinessProbe) Object.assign(container.readinessProbe, { initialDelaySeconds: 1, periodSeconds: 2 });
  }
  return copy;
}

/** Argo CD's Redis makes this itself when it starts; those that need it start at the same time and would wait for a retry. */
function ensureRedisPassword(context: Context): Promise<string[]> {
  const make = () => ({ type: 'Opaque', stringData: { auth: randomBytes(18).toString('base64url') } });
  return ensureSecret(context, redisPassword, make, [namespace]);
}
