import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { Config } from '../config/config.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { UserError } from '../lib/errors.ts';
import type { Exec } from '../lib/exec.ts';
import { isSameRepository, remoteUrls } from '../lib/git/remote.ts';
import { isRecord } from '../lib/text.ts';
import {
  type Application,
  applicationSources,
  argocdNamespace,
  type ChartSource,
  normalPath,
  type ServiceApplication,
  type Source,
  valuesPath,
} from './applications.ts';
import { manifestName, readManifests } from './manifests.ts';
import { filesBelow, understood } from './text.ts';
import { textsIn } from './yaml.ts';

/** The folder whose manifests are registered with Argo CD. */
export const registrationsFolder = 'argocd';
/** What a cluster in production is given by hand. It is checked here, and nothing applies it. */
export const productionFolder = 'docs/production';
/** The address with which this repository is given out: that of its Applications in a fork that nobody edited. */
const shippedUrl = 'https://github.com/zainasr/platform-ops.git';

/** Kinds that no namespace holds, of those that may lie beside Applications. */
const clusterKinds =
  /^(Namespace|Node|PersistentVolume|CustomResourceDefinition|APIService|RuntimeClass|CSIDriver|ClusterIssuer)$|^Cluster(Role|RoleBinding)$|(Class|WebhookConfiguration|AdmissionPolicy|AdmissionPolicyBinding)$/;

/**
 * The files that `kubectl apply -n argocd -f argocd/` reads: its manifests, but for those of subfolders.
 * @param files those below the folder, from the repository's top
 * @throws UserError for a manifest in a subfolder, which would be registered nowhere.
 */
function registrationFiles(files: readonly string[]): string[] {
  const manifests = files.filter((file) => manifestName.test(file)).sort();
  const deep = manifests.find((file) => posix.dirname(file) !== registrationsFolder);
  if (deep === undefined) return manifests;
  throw new UserError(
    `${deep} is in a subfolder, and only the files of ${registrationsFolder}/ itself are registered.`,
    { id: 'registration-subfolder', hint: `git mv ${deep} ${registrationsFolder}/` },
  );
}

/**
 * What `argocd/` registers, as it is written: all objects in the order of their files, and the Applications among them.
 * @throws UserError where the folder or a file of it can't be read.
 */
export async function readRegistrations(root: string): Promise<{ objects: KubeObject[]; applications: Application[] }> {
  const read = registrationFiles(await filesBelow(root, registrationsFolder)).map(async (file) => {
    const objects = await readManifests(root, [file]);
    understood(file, () => objects.filter(isApplication).forEach(assertUsable));
    return objects.map(inArgocd);
  });
  const objects = (await Promise.all(read)).flat();
  return { objects, applications: objects.filter(isApplication) };
}

/** Throws where an Application is none by the types of its fields, as Argo CD's definition has them. */
function assertShape({ metadata, spec }: Application): void {
  const demand = (path: string, type: string, isRight: boolean) => {
    if (!isRight) throw new Error(`${path} of the Application ${metadata.name} has to be a ${type}`);
  };
  demand('spec', 'map', isRecord(spec));
  demand('spec.destination', 'map', isRecord(spec.destination ?? {}));
  demand('spec.sources', 'list', Array.isArray(spec.sources ?? []));
  for (const source of applicationSources({ spec })) {
    demand('a source', 'map', isRecord(source));
    for (const field of ['repoURL', 'targetRevision', 'path', 'chart'] as const)
      demand(`${field} of a source`, 'text', typeof (source[field] ?? '') === 'string');
    demand('helm of a source', 'map', isRecord(source.helm ?? {}));
    const files: unknown = source.helm?.valueFiles ?? [];
    const isRight = Array.isArray(files) && files.every((file) => typeof file === 'string');
    demand('valueFiles of a source', 'list of texts', isRight);
  }
}

/** Throws for what Argo CD would refuse besides. */
function assertUsable(application: Application): void {
  assertShape(application);
  const [fault] = applicationSources(application).flatMap(sourceFaults);
  if (fault) throw new Error(`${fault.message}, in the Application ${application.metadata.name}`);
}

/** Whether the fields of an Application have the types that its definition says. */
export function hasShape(application: Application): boolean {
  try {
    assertShape(application);
    return true;
  } catch {
    return false;
  }
}

/**
 * The paths of a source that Argo CD refuses: a folder that begins with a slash or leads out of the repository (util/app/path,
 * Path), and a values file that leads out of it.
 * @returns where in the source each stands, and what is wrong with it, as a clause.
 */
export function sourceFaults({ path = '.', helm }: Source): { field: (string | number)[]; message: string }[] {
  const isOutside = (file: string) => /^\.\.(\/|$)/.test(file);
  const outside = 'leads out of the repository, which Argo CD refuses';
  const folder = posix.isAbsolute(path)
    ? `the path ${path} begins with a slash, and has to be ${posix.join('.', path)}`
    : isOutside(normalPath(path)) && `the path ${path} ${outside}`;
  const files = textsIn(helm?.valueFiles).flatMap((file, index) => {
    const message = `the values file ${file} ${outside}`;
    return isOutside(valuesPath(path, file)) ? [{ field: ['helm', 'valueFiles', index], message }] : [];
  });
  return [...(folder ? [{ field: ['path'], message: folder }] : []), ...files];
}

/** As `kubectl -n argocd` completes it. */
function inArgocd(object: KubeObject): KubeObject {
  if (isClusterKind(object.kind)) return object;
  return { ...object, metadata: { namespace: argocdNamespace, ...object.metadata } };
}

/** Whether objects of the kind lie in no namespace. */
export function isClusterKind(kind: string): boolean {
  return clusterKinds.test(kind);
}

export function isApplication(object: KubeObject): object is Application {
  return object.kind === 'Application';
}

/** Where something of a checkout is asked. */
export interface Place {
  config: Pick<Config, 'root' | 'gitops'>;
  exec: Exec;
}

/** The services: the Applications of `argocd/` that deploy a chart of this repository. */
export async function readServiceApplications(place: Place): Promise<ServiceApplication[]> {
  const { applications } = await readRegistrations(place.config.root);
  const isOurs = await ownRepository(place, applications.flatMap(applicationSources));
  return applications.flatMap((application) => {
    const source = chartSource(place.config.root, application, isOurs);
    return source === undefined ? [] : [{ ...application, spec: { ...application.spec, source } }];
  });
}

/**
 * Tells whether the address of a source is one of this repository: of GITOPS_REPO_URL, of a remote, or the one that it is
 * given out with. Git is asked for the remotes only where one of the sources needs them.
 */
export async function ownRepository(
  { config, exec }: Place,
  sources: readonly Pick<Source, 'repoURL'>[],
): Promise<(url: string) => boolean> {
  const known = [shippedUrl, ...(config.gitops ? [config.gitops.repoUrl] : [])];
  const isAmong = (urls: readonly string[], url: string) => urls.some((one) => isSameRepository(one, url));
  if (sources.every(({ repoURL }) => repoURL === undefined || isAmong(known, repoURL)))
    return (url) => url === undefined || isAmong(known, url);
  const all = [...known, ...(await remoteUrls(exec, config.root))];
  return (url) => url === undefined || isAmong(all, url);
}

/** The chart of this repository that an Application deploys; undefined where it is another source, or more than one. */
export function chartSource(
  root: string,
  application: Application,
  isOurs: (url: string) => boolean,
): ChartSource | undefined {
  const [source, ...others] = applicationSources(application);
  if (!source || others.length > 0 || !isOurs(source.repoURL)) return undefined;
  const { path, chart, helm, kustomize, directory, plugin } = source;
  if (path === undefined || (chart ?? kustomize ?? directory ?? plugin) !== undefined) return undefined;
  if (helm === undefined && !existsSync(join(root, path, 'Chart.yaml'))) return undefined;
  const folder = normalPath(path);
  const valueFiles = textsIn(helm?.valueFiles).map((file) => valuesPath(folder, file));
  return { ...source, path: folder, helm: { ...helm, valueFiles } };
}

/** Every address that a source, a generator or a project of these objects names. */
export function repositoriesIn(value: unknown): Pick<Source, 'repoURL'>[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) => {
    if (key === 'repoURL' && typeof one === 'string') return [{ repoURL: one }];
    if (key === 'sourceRepos') return textsIn(one).flatMap((repoURL) => (repoURL.includes('*') ? [] : [{ repoURL }]));
    return repositoriesIn(one);
  });
}
