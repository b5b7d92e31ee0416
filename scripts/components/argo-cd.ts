import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from '../context.ts';
import { download } from '../lib/download.ts';
import { type KubeObject, parseObjects, verbatim } from '../lib/objects.ts';
import { argocd } from '../versions.ts';
import { install } from './installation.ts';
import { readManifests } from './manifests.ts';

export const argocdNamespace = 'argocd';

/** Where the first password of the user admin lies; Argo CD makes it itself. */
export const argocdPassword = { namespace: argocdNamespace, secret: 'argocd-initial-admin-secret', key: 'password' };

/** Argo CD from its own release manifest, trimmed for a laptop. */
export const argoCd = install({
  name: 'argo-cd',
  needs: ['cluster'],
  objects: argoCdObjects,
  detail: ({ config }) => `${argocd.version}${config.argocdFull ? ', in full' : ''}`,
});

async function argoCdObjects(context: Context): Promise<KubeObject[]> {
  const { config, signal } = context;
  const file = await download({
    url: argocd.installUrl,
    sha256: argocd.installSha256,
    cacheDir: join(config.cacheDir, 'downloads'),
    fileName: `argo-cd-${argocd.version}-install.yaml`,
    signal,
  });
  const [manifest, settings] = await Promise.all([
    readFile(file, 'utf8'),
    readManifests(config.root, ['cluster/argocd/argocd-cm.yaml', 'cluster/argocd/argocd-cmd-params-cm.yaml']),
  ]);
  return [namespace, ...trim(splitManifest(manifest), config.argocdFull).map((object) => adapt(object, settings))];
}

/** The manifest names no namespace of its own: it is to be applied into one. */
const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: argocdNamespace } };

const clusterWide = /^(CustomResourceDefinition|Cluster)/;

function splitManifest(manifest: string): KubeObject[] {
  return manifest.split(/^---$/m).flatMap((text) => {
    if (/^kind: CustomResourceDefinition$/m.test(text)) return [verbatim(text)];
    return parseObjects(text, argocd.installUrl).map((object) =>
      clusterWide.test(object.kind)
        ? object
        : { ...object, metadata: { ...object.metadata, namespace: argocdNamespace } },
    );
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

/** Adds our settings to Argo CD's, and lets the node keep images: their tags are pinned, so "Always" only costs time. */
function adapt(object: KubeObject, settings: readonly KubeObject[]): KubeObject {
  const ours = settings.find(({ kind, metadata }) => kind === object.kind && metadata.name === object.metadata.name);
  if (ours) return { ...object, data: { ...(object.data as object | undefined), ...(ours.data as object) } };
  if (object.kind !== 'Deployment' && object.kind !== 'StatefulSet') return object;
  const copy = structuredClone(object) as KubeObject & {
    spec: { template: { spec: Record<string, { imagePullPolicy?: string }[] | undefined> } };
  };
  const { spec } = copy.spec.template;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])])
    container.imagePullPolicy = 'IfNotPresent';
  return copy;
}
