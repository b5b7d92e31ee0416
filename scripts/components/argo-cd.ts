import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { argocd } from '../config/versions.ts';
import type { Context } from '../images/context.ts';
import { ApiError } from '../kubernetes/api/api.ts';
import { type KubeObject, withField } from '../kubernetes/objects.ts';
import { ensureSecret } from '../kubernetes/secret.ts';
import { download } from '../lib/http/download.ts';
import { applicationApi, argocdNamespace } from '../repository/applications.ts';
import { readManifests } from '../repository/manifests.ts';
import { adapt, readRelease } from './argo-cd-release.ts';
import { install } from './installation.ts';
import { routeTable, urlOf } from './routes.ts';

/** Where the first password of the user admin lies; Argo CD makes it itself. */
export const argocdPassword = { namespace: argocdNamespace, secret: 'argocd-initial-admin-secret', key: 'password' };

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
  const release = readRelease(manifest, config.argocdFull).map((object) => adapt(object, local));
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
export const namespace: KubeObject = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: argocdNamespace, labels: { 'app.kubernetes.io/managed-by': 'platform-ops' } },
};

/** Argo CD's Redis makes this itself when it starts; those that need it start at the same time and would wait for a retry. */
function ensureRedisPassword(context: Context): Promise<string[]> {
  const make = () => ({ type: 'Opaque', stringData: { auth: randomBytes(18).toString('base64url') } });
  return ensureSecret(context, redisPassword, make, [namespace]);
}
