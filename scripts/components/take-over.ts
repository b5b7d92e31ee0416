import { isDeepStrictEqual } from 'node:util';
import { isTracked, wasApplied } from '../cluster/ownership.ts';
import type { Context } from '../images/context.ts';
import { identityOf, type KubeObject, lastAppliedAnnotation, nameOf } from '../kubernetes/objects.ts';
import { counted, jsonIn } from '../lib/text.ts';
import { applicationApi, argocdNamespace } from '../repository/applications.ts';
import { readManifestFolder, readManifests } from '../repository/manifests.ts';
import { readRegistrations, registrationsFolder } from '../repository/registrations.ts';
import { defaultProjectFile } from './applications.ts';
import { argocdNamespaceObject, releasedArgoCd } from './argo-cd.ts';
import { allControllerFiles } from './ingress.ts';
import { metricsServerFile } from './metrics-server.ts';
import { inCluster } from './removal.ts';

/** What somebody applied by a command of docs/by-hand.md. */
export interface Adoption {
  /** What the command names: a file, a folder, or Argo CD. */
  source: string;
  /** As the repository or the release has them. */
  objects: KubeObject[];
  /** As the cluster has them. */
  present: KubeObject[];
}

/**
 * What of a cluster the commands of the manual (docs/by-hand.md) put there, which `up` takes over. Of what lies in this
 * repository that is what kubectl says it applied exactly as it is written there; edits since do not matter. Argo CD's manifest is
 * applied on the server's side, where nothing keeps what it was: it counts where kubectl applied it and all that it looks after
 * are the Applications of this repository, so that it serves nobody else.
 */
export async function findAdoptions(context: Context): Promise<Adoption[]> {
  const { root } = context.config;
  const [controllerFile = ''] = allControllerFiles;
  const { objects: registered } = await readRegistrations(root);
  const written: [string, Promise<KubeObject[]> | KubeObject[]][] = [
    [`${registrationsFolder}/`, registered],
    [metricsServerFile, readManifests(root, [metricsServerFile])],
    [controllerFile, readManifests(root, [controllerFile])],
    ...['observability/prometheus', 'observability/grafana'].map((folder): [string, Promise<KubeObject[]>] => [
      `${folder}/`,
      readManifestFolder(root, folder),
    ]),
  ];
  const found = await Promise.all(
    written.map(async ([source, objects]) => adoptionOf(context, source, await objects, isAsWritten)),
  );
  // First, so that one that was interrupted knows it by its Applications at the next attempt.
  if (
    await servesNobodyElse(
      context,
      registered,
      found.flatMap(({ present }) => present),
    )
  ) {
    const argoCd = [...(await releasedArgoCd(context)), ...(await readManifests(root, [defaultProjectFile]))];
    found.unshift(await adoptionOf(context, 'Argo CD', argoCd, wasInstalled));
  }
  // The Namespace is in both folders of the monitoring.
  const known = new Set<string>();
  for (const one of found) {
    one.present = one.present.filter((object) => !known.has(identityOf(object)));
    for (const object of one.present) known.add(identityOf(object));
  }
  return found.filter(({ present }) => present.length > 0);
}

async function adoptionOf(
  context: Context,
  source: string,
  objects: KubeObject[],
  fits: (present: KubeObject, written: KubeObject) => boolean,
): Promise<Adoption> {
  const written = new Map(objects.map((object) => [identityOf(object), object]));
  const present = (await inCluster(context, objects)).filter((one) => {
    const wanted = written.get(identityOf(one));
    return wanted !== undefined && !wasApplied(one) && fits(one, wanted);
  });
  return { source, objects, present };
}

function isAsWritten(present: KubeObject, written: KubeObject): boolean {
  const said = jsonIn<KubeObject>(present.metadata.annotations?.[lastAppliedAnnotation] ?? '');
  return said.metadata !== undefined && isDeepStrictEqual(plain(said as KubeObject), plain(written));
}

/** Without what kubectl adds: empty annotations, and the namespace that the command names. */
function plain(object: KubeObject): unknown {
  const { namespace: _, annotations = {}, ...metadata } = object.metadata;
  const told = Object.keys(annotations).length > 0 ? { annotations } : {};
  return JSON.parse(JSON.stringify({ ...object, metadata: { ...metadata, ...told } }));
}

/** By `kubectl apply --server-side`, or, the Namespace, by `kubectl create namespace`, or by Argo CD itself. */
function wasInstalled(object: KubeObject): boolean {
  const { kind, metadata } = object;
  if (isDefaultProject(object)) return true;
  const isNamespace = kind === argocdNamespaceObject.kind && metadata.name === argocdNamespace;
  return (metadata.managedFields ?? []).some(({ manager, operation }) =>
    isNamespace ? manager === 'kubectl-create' : manager === 'kubectl' && operation === 'Apply',
  );
}

async function servesNobodyElse(
  context: Context,
  registered: readonly KubeObject[],
  present: readonly KubeObject[],
): Promise<boolean> {
  const kinds = ['Application', 'AppProject', 'ApplicationSet'];
  const lists = await Promise.all(kinds.map((kind) => context.api().listMetadata(applicationApi, kind)));
  const ours = new Set(registered.map(identityOf));
  const isKnown = (object: KubeObject) => ours.has(identityOf(object)) || isDefaultProject(object);
  return present.some(({ kind }) => kind === 'Application') && lists.flat().every(isKnown);
}

/** Argo CD makes it by itself. */
function isDefaultProject({ kind, metadata }: KubeObject): boolean {
  return kind === 'AppProject' && metadata.name === 'default';
}

/** The names of all that is taken over, below the command that brought it. */
export function adoptionLines(adoptions: readonly Adoption[]): string[] {
  if (adoptions.length === 0) return [];
  const count = adoptions.reduce((sum, { present }) => sum + present.length, 0);
  return [
    `Taken over is what the manual's commands applied there, ${counted(count, 'object')}, which is the platform's from then on:`,
    ...adoptions.map(({ source, present }) => `  ${source} (${present.length}): ${present.map(nameOf).join(', ')}`),
  ];
}

/** Those of the objects that are not taken over, nor deployed by an Application that is. */
export function withoutAdopted(objects: readonly KubeObject[], adoptions: readonly Adoption[]): KubeObject[] {
  const all = adoptions.flatMap(({ present }) => present);
  const names = new Set(all.map(identityOf));
  const applications = new Set(all.flatMap(({ kind, metadata }) => (kind === 'Application' ? [metadata.name] : [])));
  return objects.filter((object) => !names.has(identityOf(object)) && !isTracked(object, applications));
}

/** When the oldest of them was made, as Kubernetes writes it; undefined where there is none. */
export function oldestOf(adoptions: readonly Adoption[]): string | undefined {
  return adoptions
    .flatMap(({ present }) => present.flatMap(({ metadata }) => metadata.creationTimestamp ?? []))
    .sort()[0];
}

/** Applies them as they are written, so that they are known as the platform's; `up` then makes of them what it needs. */
export async function adopt(context: Context, adoptions: readonly Adoption[]): Promise<void> {
  const kubectl = await context.kubectl();
  for (const { objects, present } of adoptions) {
    const names = new Set(present.map(identityOf));
    await kubectl.apply(objects.filter((object) => names.has(identityOf(object))));
  }
  if (adoptions.length > 0) context.view().forget();
}
