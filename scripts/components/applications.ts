import type { Component } from '../cluster/component.ts';
import { applicationNames, isTracked, wasApplied } from '../cluster/ownership.ts';
import type { Config } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import { groupOf, identityOf, type KubeObject } from '../kubernetes/objects.ts';
import type { Workload } from '../kubernetes/types.ts';
import { waitForReady } from '../kubernetes/waiting/ready.ts';
import { type Checkout, shortSha } from '../lib/git/checkout.ts';
import {
  type Application,
  applicationApi,
  applicationsOf,
  localValueFiles,
  readRegistrations,
  servicesNamespace,
} from '../repository/applications.ts';
import { readManifests } from '../repository/manifests.ts';
import { removeApplications } from './applications-removal.ts';
import { localRepoUrl } from './git-source.ts';
import { requestRefresh } from './refresh.ts';
import { waitForTermination } from './removal.ts';
import { renderFaults } from './render-errors.ts';
import { bringImages } from './service-images.ts';

/** The Applications, registered to follow what is checked out here, or GITOPS_REPO_URL. */
export const applications: Component = {
  name: 'applications',
  needs: ['argo-cd', 'git-source', 'repository-access', 'ingress', 'service-images'],

  async status(context) {
    const missing = await missingOfApplications(context, await registrations(context));
    if (missing === undefined) return { state: 'ready', detail: await revisionDetail(context) };
    return missing.endsWith('is missing') ? { state: 'absent', missing } : { state: 'unready', missing };
  },

  async apply(context) {
    const objects = await registrations(context);
    await waitForTermination(context, objects);
    const kubectl = await context.kubectl();
    const changed = await kubectl.apply(objects);
    const late = await applicationsToRefresh(context);
    await requestRefresh(context, late);
    if (changed.length + late.length > 0) context.view().forget();
    await waitForReady(context, {
      objects: () => unhealthyDeployments(context),
      bringImages: () => bringImages(context),
      look: () => missingOfApplications(context, objects),
      faults: async () => {
        // Which commit Argo CD renders is known here only where it follows this checkout.
        const commit = context.config.gitops ? undefined : (await context.checkout()).head;
        return renderFaults(context, await applicationsOf(context), commit);
      },
      hint: 'Argo CD shows the details: npm run status lists its address; npm run passwords its password.',
    });
    return { changed, detail: await revisionDetail(context) };
  },

  objects: (context) => registrations(context),

  remove: removeApplications,

  async owns(context) {
    const [ours, names] = await Promise.all([registrations(context), applicationNames(context)]);
    const registered = new Set(ours.map(identityOf));
    const isRegistered = (object: KubeObject) =>
      registered.has(identityOf(object)) ||
      // By an earlier `up`: Git no longer registers it.
      (groupOf(object.apiVersion) === groupOf(applicationApi) && wasApplied(object));
    return (object) => isRegistered(object) || isTracked(object, names);
  },
};

/** Those that Argo CD should look at; a new one it looks at by itself. */
async function applicationsToRefresh(context: Context): Promise<Application[]> {
  const { head } = await context.checkout();
  const all = (await applicationsOf(context)).filter(({ status }) => status?.sync !== undefined);
  if (context.config.gitops) return all;
  return all.filter(({ status }) => status?.sync?.revision !== head || status?.sync?.status !== 'Synced');
}

async function missingOfApplications(context: Context, wanted: readonly KubeObject[]): Promise<string | undefined> {
  const missing = await context.view().missing(wanted);
  if (missing !== undefined) return missing;
  const present = await applicationsOf(context);
  const { head } = await currentCheckout(context, present);
  for (const { metadata, spec } of wanted.filter(({ kind }) => kind === 'Application') as Application[]) {
    const application = present.find(
      (one) => one.metadata.name === metadata.name && one.metadata.namespace === metadata.namespace,
    );
    if (!application) return `Application ${metadata.name} is missing`;
    const other = sourceDifference(application, spec.source);
    if (other !== undefined) return `Application ${metadata.name} ${other}`;
    const unfit = notReadyReason(application, context.config.gitops ? undefined : head);
    if (unfit !== undefined) return `Application ${metadata.name} is ${unfit}`;
  }
  return undefined;
}

/** Where Argo CD is at another commit than the one we know, somebody may have committed meanwhile. */
async function currentCheckout(context: Context, present: readonly Application[]): Promise<Checkout> {
  const known = await context.checkout();
  const moved = present.some(
    ({ status }) => status?.sync?.revision !== undefined && status.sync.revision !== known.head,
  );
  return moved && !context.config.gitops ? context.checkout('fresh') : known;
}

/** What keeps an Application from being Synced and Healthy, at that commit if one is given; with Argo CD's reason. */
export function notReadyReason({ status = {} }: Application, commit?: string): string | undefined {
  const { sync, health, conditions = [], operationState, resources = [] } = status;
  const error = conditions.find(({ type }) => type.endsWith('Error'))?.message;
  const failed =
    operationState?.phase === 'Failed' || operationState?.phase === 'Error' ? operationState.message : undefined;
  const sick = resources.find(
    (resource) => resource.health && !['Healthy', 'Progressing'].includes(resource.health.status),
  );
  const because =
    error ?? failed ?? (sick && `${sick.kind} ${sick.name} is ${sick.health?.status}: ${sick.health?.message ?? ''}`);
  const reason = because === undefined ? '' : ` (${because})`;
  if (sync?.status !== 'Synced') return `${sync?.status ?? 'not compared yet'}${reason}`;
  if (commit !== undefined && sync.revision !== commit)
    return `at ${sync.revision && shortSha(sync.revision)}, not yet at ${shortSha(commit)}${reason}`;
  if (health?.status !== 'Healthy') return `${health?.status ?? 'of unknown health'}${reason}`;
  return undefined;
}

async function revisionDetail(context: Context): Promise<string> {
  const { gitops } = context.config;
  if (gitops) return `${gitops.repoUrl} at ${gitops.revision}`;
  const { head, subject } = await context.checkout();
  return `${shortSha(head)} ${subject}`.slice(0, 60);
}

/**
 * The Deployments of Applications that Argo CD has synced and that are not healthy: it says no more than that, and their
 * pods tell why.
 */
export async function unhealthyDeployments(context: Context): Promise<Workload[]> {
  const [applications, deployments] = await Promise.all([
    applicationsOf(context),
    context.view().list<Workload>('apps/v1', 'Deployment'),
  ]);
  const names = new Set(
    applications
      .filter(({ status }) => status?.sync?.status === 'Synced' && status.health?.status !== 'Healthy')
      .flatMap(({ status }) => status?.resources ?? [])
      .flatMap(({ kind, name }) => (kind === 'Deployment' ? [name] : [])),
  );
  return deployments.filter(({ metadata }) => metadata.namespace === servicesNamespace && names.has(metadata.name));
}

/** The project and the Applications as this cluster registers them: other address, revision and values than production. */
export async function registrations(context: Context): Promise<KubeObject[]> {
  const { config } = context;
  const checkout = await context.checkout();
  const { project, applications } = await readRegistrations(config.root);
  const source = wantedSource(config, checkout);
  return [
    ...(await readManifests(config.root, ['cluster/argocd/default-project.yaml'])),
    ...project.map((object) => ({ ...object, spec: { ...(object.spec as object), sourceRepos: [source.repoURL] } })),
    ...applications.map((application) => {
      const { path, helm, ...others } = application.spec.source;
      const valueFiles = localValueFiles(application, config.environment);
      const ours = { ...others, ...source, path: `${checkout.prefix}${path}`, helm: { ...helm, valueFiles } };
      return { ...application, spec: { ...application.spec, source: ours } };
    }),
  ];
}

function wantedSource({ gitops }: Config, { linked, branch, head }: Checkout) {
  if (gitops) return { repoURL: gitops.repoUrl, targetRevision: gitops.revision };
  // A linked worktree shares the repository, whose HEAD is that of the main one: it is followed by its branch.
  return { repoURL: localRepoUrl, targetRevision: linked ? (branch ?? head) : 'HEAD' };
}

type Source = Application['spec']['source'];

/** How an Application's source, or the one that Argo CD last looked at, differs from the wanted one; undefined if it doesn't. */
export function sourceDifference({ spec, status }: Application, wanted: Source): string | undefined {
  const title = ({ repoURL, targetRevision, helm }: Partial<Source>) =>
    `${targetRevision} of ${repoURL} with ${helm?.valueFiles?.join(' and ')}`;
  if (title(spec.source) !== title(wanted)) return `follows ${title(spec.source)}, not ${title(wanted)}`;
  // What it says of itself is about the source that it was last compared with.
  const compared = status?.sync?.comparedTo?.source;
  return compared === undefined || title(compared) === title(wanted)
    ? undefined
    : 'is not compared yet with its new source';
}
