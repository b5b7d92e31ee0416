import type { Component } from '../cluster/component.ts';
import { applicationNames, isTracked } from '../cluster/ownership.ts';
import type { Context } from '../images/context.ts';
import { identityOf } from '../kubernetes/objects.ts';
import { waitForReady } from '../kubernetes/waiting/ready.ts';
import { type Checkout, shortSha } from '../lib/git/checkout.ts';
import { type Application, applicationsOf } from '../repository/applications.ts';
import { removeApplications } from './applications-removal.ts';
import { askToLook } from './refresh.ts';
import { difference, registrations } from './registrations.ts';
import { renderFaults } from './render-error.ts';
import { bringImages } from './service-images.ts';
import { untilGone } from './terminating.ts';
import { unhealthyDeployments } from './unhealthy.ts';

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
    const late = await behind(context);
    await askToLook(context, late);
    if (changed.length + late.length > 0) context.view().forget();
    await waitForReady(context, {
      also: () => unhealthyDeployments(context),
      bringImages: () => bringImages(context),
      look: () => lacking(context),
      faults: async () => renderFaults(context, await applicationsOf(context), await deployedCommit(context)),
      hint: 'Argo CD shows the details: npm run status lists its address; npm run passwords its password.',
    });
    return { changed, detail: await revisionDetail(context) };
  },

  objects: (context) => registrations(context),

  remove: removeApplications,

  async owns(context) {
    const [ours, names] = await Promise.all([registrations(context), applicationNames(context)]);
    const registered = new Set(ours.map(identityOf));
    return (object) => registered.has(identityOf(object)) || isTracked(object, names);
  },
};

/** Those that Argo CD should look at; a new one it looks at by itself. */
async function behind(context: Context): Promise<Application[]> {
  const { head } = await context.checkout();
  const all = (await applicationsOf(context)).filter(({ status }) => status?.sync !== undefined);
  if (context.config.gitops) return all;
  return all.filter(({ status }) => status?.sync?.revision !== head || status?.sync?.status !== 'Synced');
}

async function lacking(context: Context): Promise<string | undefined> {
  const wanted = await registrations(context);
  const missing = await context.view().missing(wanted);
  if (missing !== undefined) return missing;
  const present = await applicationsOf(context);
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
    return `at ${sync.revision && shortSha(sync.revision)}, not yet at ${shortSha(commit)}${reason}`;
  if (health?.status !== 'Healthy') return `${health?.status ?? 'of unknown health'}${reason}`;
  return undefined;
}

/** The commit that Argo CD renders, as far as it is known here. */
async function deployedCommit(context: Context): Promise<string | undefined> {
  return context.config.gitops ? undefined : (await context.checkout()).head;
}

async function revisionDetail(context: Context): Promise<string> {
  const { gitops } = context.config;
  if (gitops) return `${gitops.repoUrl} at ${gitops.revision}`;
  const { head, subject } = await context.checkout();
  return `${shortSha(head)} ${subject}`.slice(0, 60);
}
