import type { Component } from '../cluster/component.ts';
import { applicationNames, isTracked, wasApplied } from '../cluster/ownership.ts';
import type { Config } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import { groupOf, identityOf, type KubeObject, titleOf } from '../kubernetes/objects.ts';
import type { Workload } from '../kubernetes/types.ts';
import { waitForReady } from '../kubernetes/waiting/ready.ts';
import { UserError } from '../lib/errors.ts';
import { type Checkout, shortSha } from '../lib/git/checkout.ts';
import {
  type Application,
  applicationApi,
  applicationSources,
  applicationsOf,
  isAtCommit,
  type Source,
} from '../repository/applications.ts';
import { readManifests } from '../repository/manifests.ts';
import { projectRefusals } from '../repository/projects.ts';
import { redirect } from '../repository/redirect.ts';
import { isApplication, ownRepository, readRegistrations, repositoriesIn } from '../repository/registrations.ts';
import { removeApplications } from './applications-removal.ts';
import { followedCommit, localRepoUrl } from './git-source.ts';
import { linkParameters } from './links.ts';
import { requestRefresh } from './refresh.ts';
import { waitForTermination } from './removal.ts';
import { renderFaults } from './render-errors.ts';
import { bringImages } from './service-images.ts';

/** The project `default`, which Argo CD makes by itself, closed. */
export const defaultProjectFile = 'cluster/argocd/default-project.yaml';

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
    assertProjectsAllow((await readRegistrations(context.config.root)).objects);
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
  return all.filter(
    (application) =>
      !isAtCommit(application, followedCommit(context.config, application, head)) ||
      application.status?.sync?.status !== 'Synced',
  );
}

async function missingOfApplications(context: Context, wanted: readonly KubeObject[]): Promise<string | undefined> {
  const missing = await context.view().missing(wanted);
  if (missing !== undefined) return missing;
  const present = await applicationsOf(context);
  const { head } = await currentCheckout(context, present);
  for (const registered of wanted.filter(isApplication)) {
    const { metadata } = registered;
    const application = present.find(
      (one) => one.metadata.name === metadata.name && one.metadata.namespace === metadata.namespace,
    );
    if (!application) return `Application ${metadata.name} is missing`;
    const other = sourceDifference(application, registered);
    if (other !== undefined) return `Application ${metadata.name} ${other}`;
    const commit = context.config.gitops ? undefined : followedCommit(context.config, application, head);
    const unfit = notReadyReason(application, commit);
    if (unfit !== undefined) return `Application ${metadata.name} is ${unfit}`;
  }
  return undefined;
}

/** Where Argo CD is at another commit than the one we know, somebody may have committed meanwhile. */
async function currentCheckout(context: Context, present: readonly Application[]): Promise<Checkout> {
  const known = await context.checkout();
  const moved = present.some(
    (application) =>
      application.status?.sync?.revision !== undefined &&
      !isAtCommit(application, followedCommit(context.config, application, known.head)),
  );
  return moved && !context.config.gitops ? context.checkout('fresh') : known;
}

/** What keeps an Application from being Synced and Healthy, at that commit if one is given; with Argo CD's reason. */
export function notReadyReason(application: Application, commit?: string): string | undefined {
  const { status = {} } = application;
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
  if (commit !== undefined && !isAtCommit(application, commit))
    return `at ${shortSha(sync.revision ?? sync.revisions?.[0] ?? 'no commit')}, not yet at ${shortSha(commit)}${reason}`;
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
  const titles = new Set(
    applications
      .filter(({ status }) => status?.sync?.status === 'Synced' && status.health?.status !== 'Healthy')
      .flatMap(({ status }) => status?.resources ?? [])
      .flatMap((resource) => (resource.kind === 'Deployment' ? [titleOf(resource)] : [])),
  );
  return deployments.filter(({ metadata }) => titles.has(titleOf({ ...metadata, kind: 'Deployment' })));
}

/**
 * What `argocd/` holds, as this cluster registers it: what points at this repository has another address, revision and values
 * than in production. What others refer to comes first.
 */
export async function registrations(context: Context): Promise<KubeObject[]> {
  const { config } = context;
  const checkout = await context.checkout();
  const { objects } = await readRegistrations(config.root);
  const isOurs = await ownRepository(context, repositoriesIn(objects));
  const { prefix } = checkout;
  const parameters = await linkParameters(context);
  const to = { isOurs, prefix, environment: config.environment, parameters, ...wantedSource(config, checkout) };
  const closed = await readManifests(config.root, [defaultProjectFile]);
  const isWritten = ({ kind, metadata }: KubeObject) =>
    objects.some((one) => one.kind === kind && one.metadata.name === metadata.name);
  const rank = ({ kind }: KubeObject) => (kind.startsWith('Application') ? 2 : kind === 'AppProject' ? 1 : 0);
  return [
    ...closed.filter((project) => !isWritten(project)),
    ...objects.map((object) => redirect(object, to)).toSorted((one, other) => rank(one) - rank(other)),
  ];
}

/**
 * Throws a `UserError` for an Application that its project refuses, before anything waits for it.
 * @param objects of `argocd/`, as they are written.
 */
export function assertProjectsAllow(objects: readonly KubeObject[]): void {
  for (const application of objects.filter(isApplication)) {
    const { name } = application.metadata;
    const project = application.spec.project ?? 'default';
    const found = objects.find(({ kind, metadata }) => kind === 'AppProject' && metadata.name === project);
    if (!found) {
      const why = project === 'default' ? 'default, which is closed here' : `${project}, which argocd/ does not have`;
      throw new UserError(`The Application ${name} is in the project ${why}.`, {
        id: 'project-refuses',
        hint: `Name a project of argocd/ in spec.project, or add an AppProject ${project} there.`,
      });
    }
    const refused = projectRefusals(application, found);
    if (refused.length === 0) continue;
    throw new UserError(
      `The project ${project} does not allow the Application ${name} ${refused.map(({ what }) => what).join(', nor ')}.`,
      { id: 'project-refuses', hint: `Add ${refused.map(({ allow }) => allow).join(', and ')} of the AppProject.` },
    );
  }
}

function wantedSource({ gitops }: Config, { linked, branch, head }: Checkout) {
  if (gitops) return { repoURL: gitops.repoUrl, targetRevision: gitops.revision };
  // A linked worktree shares the repository, whose HEAD is that of the main one: it is followed by its branch.
  return { repoURL: localRepoUrl, targetRevision: linked ? (branch ?? head) : 'HEAD' };
}

/** How an Application's sources, or those that Argo CD last looked at, differ from the wanted ones; undefined if they don't. */
export function sourceDifference(application: Application, wanted: Application): string | undefined {
  const title = ({ repoURL, chart, targetRevision, helm }: Partial<Source>) => {
    const values = helm?.valueFiles?.join(' and ');
    return `${targetRevision} of ${chart ? `${chart} in ` : ''}${repoURL}${values ? ` with ${values}` : ''}`;
  };
  const titles = (sources: readonly Partial<Source>[]) => sources.map(title).join(', ');
  const there = titles(applicationSources(application));
  const due = titles(applicationSources(wanted));
  if (there !== due) return `follows ${there}, not ${due}`;
  // What it says of itself is about the sources that it was last compared with.
  const { source, sources = [] } = application.status?.sync?.comparedTo ?? {};
  if (source === undefined || due === '') return undefined;
  return titles(sources.length > 0 ? sources : [source]) === due
    ? undefined
    : 'is not compared yet with its new source';
}
