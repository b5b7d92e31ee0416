import type { Context } from '../context.ts';
import { UserError } from '../lib/errors.ts';
import type { Checkout } from '../lib/git.ts';
import { identityOf, type KubeObject } from '../lib/objects.ts';
import { startStopwatch } from '../lib/stopwatch.ts';
import { type Application, localValueFiles, readRegistrations } from '../services.ts';
import { removeApplications } from './applications-removal.ts';
import { argocdNamespace } from './argo-cd.ts';
import type { Component } from './component.ts';
import { localRepoUrl } from './git-source.ts';
import { memoizePerContext, readManifests } from './manifests.ts';
import { untilGone } from './terminating.ts';
import { applicationNames, isTracked } from './tracking.ts';
import { unhealthyDeployments } from './unhealthy.ts';
import { untilReady } from './until-ready.ts';

const api = ['argoproj.io/v1alpha1', 'Application'] as const;
/** Milliseconds for which a chart that can't be rendered is given the benefit of the doubt: the repo-server may be starting. */
const renderPatience = 30_000;

/** The Applications, registered to follow what is checked out here, or GITOPS_REPO_URL. */
export const applications: Component = {
  name: 'applications',
  needs: ['argo-cd', 'git-source', 'repository-access', 'ingress', 'service-images'],

  async status(context) {
    const missing = await lacking(context);
    if (missing === undefined) return { state: 'ready', detail: await revisionDetail(context) };
    return missing.endsWith('is missing') ? { state: 'absent', missing } : { state: 'unready', missing };
  },

  async apply(context) {
    const objects = await registrations(context);
    await untilGone(context, objects);
    const kubectl = await context.kubectl();
    const changed = await kubectl.apply(objects);
    await refresh(context);
    context.view().forget();
    const unrenderable = new Map<string, () => number>();
    await untilReady(context, {
      objects: [],
      also: () => unhealthyDeployments(context),
      look: async () => {
        await failOnRenderError(context, unrenderable);
        return lacking(context);
      },
      hint: 'Argo CD shows the details: npm run status lists its address; npm run passwords its password.',
    });
    return { changed, detail: await revisionDetail(context) };
  },

  remove: removeApplications,

  async owns(context) {
    const [ours, names] = await Promise.all([registrations(context), applicationNames(context)]);
    const registered = new Set(ours.map(identityOf));
    return (object) => registered.has(identityOf(object)) || isTracked(object, names);
  },
};

/** The project and the Applications as this cluster registers them: other address, revision and values than production. */
const registrations = memoizePerContext(async (context: Context): Promise<KubeObject[]> => {
  const { project, applications } = await readRegistrations(context.config.root);
  const { prefix } = await context.checkout();
  const source = await sourceOf(context);
  return [
    ...(await readManifests(context.config.root, ['cluster/argocd/default-project.yaml'])),
    ...project.map((object) => ({ ...object, spec: { ...(object.spec as object), sourceRepos: [source.repoURL] } })),
    ...applications.map((application) => ({
      ...application,
      spec: {
        ...application.spec,
        source: {
          ...application.spec.source,
          ...source,
          path: `${prefix}${application.spec.source.path}`,
          helm: {
            ...application.spec.source.helm,
            valueFiles: localValueFiles(application, context.config.environment),
          },
        },
      },
    })),
  ];
});

async function sourceOf(context: Context): Promise<{ repoURL: string; targetRevision: string }> {
  const { gitops } = context.config;
  if (gitops) return { repoURL: gitops.repoUrl, targetRevision: gitops.revision };
  const { linked, branch, head } = await context.checkout();
  // A linked worktree shares the repository, whose HEAD is that of the main one: it is followed by its branch.
  return { repoURL: localRepoUrl, targetRevision: linked ? (branch ?? head) : 'HEAD' };
}

/** Argo CD looks by itself every few seconds; asked by this annotation it looks now. */
async function refresh(context: Context): Promise<void> {
  const behind = (await found(context)).filter((application) => application.status?.sync !== undefined);
  const { head } = await context.checkout();
  const names = behind
    .filter(
      ({ status }) => context.config.gitops || status?.sync?.revision !== head || status?.sync?.status !== 'Synced',
    )
    .map(({ metadata }) => metadata.name);
  if (names.length === 0) return;
  const kubectl = await context.kubectl();
  await kubectl.run([
    'annotate',
    'applications.argoproj.io',
    ...names,
    '--namespace',
    argocdNamespace,
    '--overwrite',
    'argocd.argoproj.io/refresh=normal',
  ]);
}

async function found(context: Context): Promise<Application[]> {
  return context.view().list<Application>(...api);
}

async function lacking(context: Context): Promise<string | undefined> {
  const wanted = await registrations(context);
  const missing = await context.view().missing(wanted);
  if (missing !== undefined) return missing;
  const present = await found(context);
  const { head } = await currentCheckout(context, present);
  for (const { metadata, spec } of wanted.filter(({ kind }) => kind === 'Application') as Application[]) {
    const application = present.find(
      (one) => one.metadata.name === metadata.name && one.metadata.namespace === metadata.namespace,
    );
    if (!application) return `Application ${metadata.name} is missing`;
    const other = difference(application, spec.source);
    if (other !== undefined) return `Application ${metadata.name} ${other}`;
    const unfit = unfitness(application, context.config.gitops ? undefined : head);
    if (unfit !== undefined) return `Application ${metadata.name} is ${unfit}`;
  }
  return undefined;
}

type Source = Application['spec']['source'];

/** How an Application's source, or the one that Argo CD last looked at, differs from the wanted one; undefined if it doesn't. */
export function difference({ spec, status }: Application, wanted: Source): string | undefined {
  const { repoURL, targetRevision, helm } = spec.source;
  if (repoURL !== wanted.repoURL || targetRevision !== wanted.targetRevision) {
    return `follows ${targetRevision} of ${repoURL}, not ${wanted.targetRevision} of ${wanted.repoURL}`;
  }
  if (!sameFiles(helm, wanted.helm)) {
    return `is rendered with ${helm?.valueFiles?.join(' and ')}, not with ${wanted.helm.valueFiles.join(' and ')}`;
  }
  // What it says of itself is about the source that it was last compared with.
  const compared = status?.sync?.comparedTo?.source;
  const current =
    compared === undefined ||
    (compared.repoURL === wanted.repoURL &&
      compared.targetRevision === wanted.targetRevision &&
      sameFiles(compared.helm, wanted.helm));
  return current ? undefined : 'is not compared yet with its new source';
}

function sameFiles(one: Partial<Source['helm']> | undefined, wanted: Source['helm']): boolean {
  return one?.valueFiles?.join('\n') === wanted.valueFiles.join('\n');
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
export function unfitness({ status = {} }: Application, commit?: string): string | undefined {
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
    return `at ${sync.revision?.slice(0, 7)}, not yet at ${commit.slice(0, 7)}${reason}`;
  if (health?.status !== 'Healthy') return `${health?.status ?? 'of unknown health'}${reason}`;
  return undefined;
}

/** A chart that can't be rendered doesn't mend itself, so it is not waited for until the deadline. */
async function failOnRenderError(context: Context, lasted: Map<string, () => number>): Promise<void> {
  for (const { metadata, status } of await found(context)) {
    const error = status?.conditions?.find(({ type }) => type === 'ComparisonError' || type === 'InvalidSpecError');
    if (!error) {
      lasted.delete(metadata.name);
      continue;
    }
    const known = lasted.get(metadata.name) ?? startStopwatch();
    lasted.set(metadata.name, known);
    if (known() > renderPatience) {
      throw new UserError(`Argo CD can't render the Application ${metadata.name}: ${error.message}`, {
        hint: 'Commit a correction, or git revert; it deploys at once.',
      });
    }
  }
}

async function revisionDetail(context: Context): Promise<string> {
  const { gitops } = context.config;
  if (gitops) return `${gitops.repoUrl} at ${gitops.revision}`;
  const { head, subject } = await context.checkout();
  return `${head.slice(0, 7)} ${subject}`.slice(0, 60);
}
