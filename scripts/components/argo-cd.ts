import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { Config } from '../config/config.ts';
import { argocd } from '../config/versions.ts';
import type { Context } from '../images/context.ts';
import { ApiError } from '../kubernetes/api/api.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { ensureSecret } from '../kubernetes/secret.ts';
import { CommandError } from '../lib/exec.ts';
import { writeWhole } from '../lib/files.ts';
import { download } from '../lib/http/download.ts';
import { parseManifests } from '../lib/yaml-cache.ts';
import { applicationApi, argocdNamespace } from '../repository/applications.ts';
import { dashboardUids } from '../repository/generated/monitoring.ts';
import { readRegistrations } from '../repository/registrations.ts';
import { readText, understood, unreadable } from '../repository/text.ts';
import { localRepository } from './git-source.ts';
import { contentAnnotation, install } from './installation.ts';
import { withLinks } from './links.ts';
import { argocdPassword } from './passwords.ts';
import { addServers, knownHostsFile, knownHostsMap } from './repository-key.ts';

const redisPassword = { namespace: argocdNamespace, name: 'argocd-redis' };

/**
 * The manifest names no namespace of its own: it is to be applied into one. Of an object without a field of ours the API
 * server would not keep that we applied it; so it has a label.
 */
export const argocdNamespaceObject: KubeObject = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: argocdNamespace, labels: { 'app.kubernetes.io/managed-by': 'platform-ops' } },
};

/** Argo CD from its own release manifest, trimmed for a laptop. */
export const argoCd = install({
  name: 'argo-cd',
  needs: ['cluster'],
  objects: argoCdObjects,
  // The namespace is here as well, since it has to be known without the manifest, too.
  made: [argocdNamespaceObject],
  // The password of Redis it makes by itself where `up` did not.
  grown: [secretNamed(redisPassword.name), secretNamed(argocdPassword.secret), localRepository],
  prepare: ensureRedisPassword,
  missing: crdsNotServed,
  detail: ({ config }) => `${argocd.version}${config.argocdFull ? ', in full' : ''}`,
});

async function argoCdObjects(context: Context): Promise<KubeObject[]> {
  const { config, signal, downloads } = context;
  const release = await kustomizedRelease(context, () =>
    download({
      url: argocd.installUrl,
      sha256: argocd.installSha256,
      cacheDir: join(config.cacheDir, 'downloads'),
      fileName: `argo-cd-${argocd.version}-install.yaml`,
      signal,
      ...downloads,
    }),
  );
  const servers = await readFile(join(config.root, knownHostsFile), 'utf8').catch(() => '');
  const dashboards = await dashboardUids(config.root);
  return [
    argocdNamespaceObject,
    ...(config.gitops === undefined && (await context.checkout()).shallow ? [localRepository] : []),
    ...release.map((object) => {
      const data = (object.data ?? {}) as Record<string, string>;
      if (object.metadata.name === 'argocd-cm') return { ...object, data: withLinks(data, config.ports, dashboards) };
      return object.metadata.name === knownHostsMap ? { ...object, data: addServers(data, servers) } : object;
    }),
  ];
}

/**
 * Argo CD as it is released, which is more than `up` installs unless the settings ask for it.
 * @throws UserError where the release can't be had.
 */
export function releasedArgoCd(context: Context): Promise<KubeObject[]> {
  return argoCdObjects({ ...context, config: { ...context.config, argocdFull: true } });
}

/** Only as it is released it has the controller of ApplicationSets: where `argocd/` has one, that is installed. */
async function isFull({ argocdFull, root }: Pick<Config, 'argocdFull' | 'root'>): Promise<boolean> {
  if (argocdFull) return true;
  // A folder that can't be read is told of by what registers it.
  const { objects } = await readRegistrations(root).catch(() => ({ objects: [] }));
  return objects.some(({ kind }) => kind === 'ApplicationSet');
}

/** What of Argo CD is installed, as files that kustomize reads. */
export const kustomizations = 'cluster/argocd';

/**
 * What `kubectl kustomize` makes of the release and `cluster/argocd`. It takes one to two seconds of a processor, so the outcome
 * is kept in the cache folder with a hash of all that goes in. Of kubectl that is the cluster's version, to which it has to
 * fit: to ask kubectl itself would take `status` longer. What may fetch nothing, as a dry run, leaves nothing there, either.
 * @param fetchRelease returns the path of the release's manifest
 * @throws `UserError` where the release can't be had or kustomize refuses
 */
export async function kustomizedRelease(
  { config, exec, toolbox, downloads }: Context,
  fetchRelease: () => Promise<string>,
): Promise<KubeObject[]> {
  const source = join(config.root, kustomizations);
  const all = await readdir(source, { recursive: true }).catch((cause) => {
    const hint = `git checkout HEAD -- ${kustomizations} brings back what was committed.`;
    throw unreadable(`The folder ${kustomizations}/ can't be read.`, hint, cause);
  });
  const names = all.filter((name) => name.endsWith('.yaml')).sort();
  const texts = await Promise.all(names.map((name) => readText(config.root, join(kustomizations, name))));
  const from = sha256([argocd.installSha256, config.nodeImage, names, texts]);
  const full = await isFull(config);
  const kept = join(config.cacheDir, 'argo-cd', full ? 'full.json' : 'trimmed.json');
  const known = readKept(kept);
  if (known?.from === from) return known.objects;

  // With the file and its line, which kustomize does not tell.
  for (const [index, name] of names.entries())
    understood(join(kustomizations, name), () => parseManifests(texts[index] ?? ''));
  const [release, kubectl] = await Promise.all([fetchRelease(), toolbox.find('kubectl')]);
  const work = await mkdtemp(join(tmpdir(), 'platform-ops-argo-cd-'));
  try {
    await cp(source, work, { recursive: true });
    await copyFile(release, join(work, 'full', 'install.yaml'));
    const { stdout } = await exec([kubectl.path, 'kustomize', full ? join(work, 'full') : work]).catch((cause) => {
      if (!(cause instanceof CommandError) || cause.output.stderr === '') throw cause;
      const said = cause.output.stderr
        .trim()
        .replaceAll(work, kustomizations)
        .replace(/^error: /, '')
        .split('\n')[0];
      throw unreadable(
        `${kustomizations} can't be read by kubectl kustomize: ${said}.`,
        `git diff HEAD -- ${kustomizations}`,
        cause,
      );
    });
    const objects = parseAllDocuments(stdout, { version: '1.1' }).map((document) => marked(document.toJS()));
    // Where nothing can be written, it is made again each time.
    const keep = async () => {
      await mkdir(dirname(kept), { recursive: true });
      writeWhole(kept, JSON.stringify({ from, objects }));
    };
    if (!downloads.offline) await keep().catch(() => {});
    return objects;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function readKept(file: string): { from: string; objects: KubeObject[] } | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // Not there, or not whole: it is made from the release once more.
    return undefined;
  }
}

/** A CRD with a mark of its content: it is large, and need not be applied to a cluster that has the same. */
function marked(object: KubeObject): KubeObject {
  if (object.kind !== 'CustomResourceDefinition') return object;
  const annotations = { ...object.metadata.annotations, [contentAnnotation]: sha256(object).slice(0, 16) };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

function sha256(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
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

/** Argo CD's Redis makes this itself when it starts; those that need it start at the same time and would wait for a retry. */
function ensureRedisPassword(context: Context): Promise<string[]> {
  const make = () => ({ type: 'Opaque', stringData: { auth: randomBytes(18).toString('base64url') } });
  return ensureSecret(context, redisPassword, make, [argocdNamespaceObject]);
}
