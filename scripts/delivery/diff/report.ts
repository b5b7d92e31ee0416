import type { Component } from '../../cluster/component.ts';
import { applications as applicationsComponent, notReadyReason } from '../../components/applications.ts';
import { followedCommit, followsRepository } from '../../components/git-source.ts';
import { componentsFor } from '../../components/index.ts';
import type { Context } from '../../images/context.ts';
import { fieldManager } from '../../kubernetes/kubectl.ts';
import { type KubeObject, type Named, namedOf } from '../../kubernetes/objects.ts';
import { ExitCode, UserError } from '../../lib/errors.ts';
import { uncommittedFiles } from '../../lib/git/checkout.ts';
import { unknownWord } from '../../lib/text.ts';
import { type Application, applicationsOf, isAtCommit } from '../../repository/applications.ts';
import { holders } from '../../repository/manifests.ts';
import { isApplication } from '../../repository/registrations.ts';
import { argocdManager } from '../drift/changes.ts';
import { compareObjects, failureOf, type IgnoreRule, type ObjectComparison } from './compare.ts';
import { createRenderer, type Renderer } from './render.ts';
import {
  type ClusterFacts,
  isKindAllowed,
  leftObjects,
  listDeployable,
  type RenderedTargets,
  readClusterFacts,
  servedAs,
  targetsOf,
} from './targets.ts';

/** All that `npm run diff` tells, and what `--json` prints. */
export interface DiffReport {
  /** Whether anything would change. */
  differs: boolean;
  /** False where a chart could not be rendered, or an object would be refused: then more may differ. */
  complete: boolean;
  cluster: string;
  /** The commit that the working tree stands on. */
  commit: string;
  /** What a commit would have Argo CD change. */
  applications: ApplicationDiff[];
  /** What the next `npm run up` would change, by component. */
  up: ComponentDiff[];
  notes: string[];
}

/** What a commit of the working tree would change of what an Application deploys. */
export interface ApplicationDiff extends ObjectComparison {
  name: string;
  /** What would no longer be rendered, and stay all the same. */
  kept: (Named & { because: string })[];
  /** What would be run beside the sync. */
  hooks: (Named & { phases: string[] })[];
  /** What you should know besides, a sentence each. */
  notes: string[];
}

/** What `npm run up` would change of a component's objects, which Argo CD does not look after. */
export type ComponentDiff = ObjectComparison & { component: string };

/** Compares the working tree with the cluster, or one Application of it alone, and changes nothing. */
export async function gatherDiff(context: Context, application?: string): Promise<DiffReport> {
  const registered = (await applicationsComponent.objects?.(context)) ?? [];
  const all = registered.filter(isApplication);
  const chosen = all.filter(({ metadata }) => application === undefined || metadata.name === application);
  if (chosen.length === 0) {
    const names = all.map(({ metadata }) => metadata.name);
    throw unknownWord(`argocd/ has no Application ${application ?? ''}.`.replace(' .', '.'), application ?? '', names);
  }
  const [facts, render, checkout, notes] = await Promise.all([
    readClusterFacts(context.api()),
    createRenderer(context),
    context.checkout(),
    editsBesideManifests(context),
  ]);
  const [applications, up] = await Promise.all([
    diffApplications(context, { facts, render }, chosen, registered),
    diffComponents(context, facts, application),
  ]);
  const parts = [...applications, ...up];
  return {
    differs: parts.some(({ changes }) => changes.length > 0),
    complete: parts.every(({ error, refused }) => error === undefined && refused.length === 0),
    cluster: context.config.clusterName,
    commit: checkout.head,
    applications,
    up: up.filter(({ error, changes, refused }) => error !== undefined || changes.length + refused.length > 0),
    notes,
  };
}

/** Like diff(1): 0 nothing would change, 1 something would, 2 not everything could be compared. */
export function diffExitCode({ differs, complete }: DiffReport): ExitCode {
  if (!complete) return ExitCode.usage;
  return differs ? ExitCode.failed : ExitCode.done;
}

/** Edits that count for a cluster, too, and that no comparison of objects can show. */
async function editsBesideManifests({ config, exec }: Context): Promise<string[]> {
  const notes = {
    'cluster/kind.yaml': 'cluster/kind.yaml is edited: it counts for a new cluster (npm run down && npm run up).',
    standins: 'standins/ is edited: npm run up builds their images again, where it uses them.',
  };
  const edited = Object.entries(notes).map(async ([path, note]) => {
    const files = await uncommittedFiles(exec, config.root, [path]);
    return files.length > 0 ? [note] : [];
  });
  return (await Promise.all(edited)).flat();
}

/** How charts are rendered, and for which cluster. */
interface RenderedCluster {
  facts: ClusterFacts;
  render: Renderer;
}

/** Compares what Applications render with the cluster, side by side. `registered` also holds the projects that they are in. */
export async function diffApplications(
  context: Context,
  rendering: RenderedCluster,
  chosen: readonly Application[],
  registered: readonly KubeObject[],
): Promise<ApplicationDiff[]> {
  const projects = new Set(chosen.map((application) => projectOf(application, registered)));
  const listed = [...projects].map(
    async (project) => [project, await listDeployable(context.api(), rendering.facts, project)] as const,
  );
  const deployed = new Map(await Promise.all(listed));
  const live = await applicationsOf(context);
  const commit = context.config.gitops ? undefined : (await context.checkout()).head;
  return Promise.all(
    chosen.map(async (application) => {
      const project = projectOf(application, registered);
      const known = live.find(({ metadata }) => metadata.name === application.metadata.name);
      const diff = await diffApplication(context, rendering, application, project, deployed.get(project) ?? []);
      return {
        ...diff,
        notes: [...outOfStepNotes(known, commit && followedCommit(context.config, application, commit)), ...diff.notes],
      };
    }),
  );
}

async function diffApplication(
  context: Context,
  { facts, render }: RenderedCluster,
  application: Application,
  project: KubeObject,
  deployed: readonly KubeObject[],
): Promise<ApplicationDiff> {
  const { name } = application.metadata;
  const ignored = (application.spec.ignoreDifferences ?? []) as IgnoreRule[];
  const notes = unsupportedNotes(ignored);
  const nothing = { changes: [], refused: [], kept: [], hooks: [] };
  if (!followsRepository(context.config, application))
    return {
      name,
      ...nothing,
      notes: ['No source of it is in this repository, so no commit here changes what it deploys.'],
    };
  let targets: RenderedTargets;
  try {
    targets = targetsOf(await render(application, facts), application, facts);
  } catch (error) {
    return { name, error: failureOf(error), ...nothing, notes };
  }
  const { objects, hooks } = targets;
  const isPermitted = (one: KubeObject) => isKindAllowed(project, one, servedAs(facts, one)?.namespaced ?? true);
  const compared = await compareObjects(objects.filter(isPermitted), {
    api: context.api(),
    facts,
    manager: argocdManager,
    ignored,
  });
  const forbidden = objects.filter((object) => !isPermitted(object));
  const reason = (kind: string) => `the project ${project.metadata.name} does not allow the kind ${kind}`;
  const left = leftObjects(application, deployed, objects);
  const pruned = left.filter(({ because }) => because === undefined);
  const changes = [
    ...compared.changes,
    ...pruned.map(({ object }) => ({ ...namedOf(object), action: 'prune' as const })),
  ];
  return {
    name,
    changes,
    refused: [...forbidden.map((one) => ({ ...namedOf(one), reason: reason(one.kind) })), ...compared.refused],
    kept: left.flatMap(({ object, because }) => (because === undefined ? [] : [{ ...namedOf(object), because }])),
    // A sync runs them, and there is none where nothing else differs.
    hooks: changes.length === 0 ? [] : hooks.map(({ object, phases }) => ({ ...namedOf(object), phases })),
    notes: [...notes, ...(objects.length === 0 && pruned.length > 0 ? emptiedNotes(application) : [])],
  };
}

function projectOf({ metadata, spec }: Application, registered: readonly KubeObject[]): KubeObject {
  const project = registered.find((object) => object.kind === 'AppProject' && object.metadata.name === spec.project);
  if (project) return project;
  throw new UserError(
    `The Application ${metadata.name} is in the project ${spec.project}, which argocd/ does not have.`,
    { hint: 'npm run validate' },
  );
}

/** What the cluster says of an Application, where that is not in step with the commit that is checked out. */
function outOfStepNotes(live: Application | undefined, commit: string | undefined): string[] {
  if (!live) return ['It is not registered yet: npm run up does that, and Argo CD then makes what follows.'];
  const { sync } = live.status ?? {};
  if (sync?.status === 'Synced' && isAtCommit(live, commit)) return [];
  return [`Argo CD has it ${notReadyReason(live, commit)}: compared is what the cluster has now.`];
}

function unsupportedNotes(ignored: readonly IgnoreRule[]): string[] {
  return ignored.some(({ jqPathExpressions, managedFieldsManagers }) => jqPathExpressions ?? managedFieldsManagers)
    ? ['Of its ignoreDifferences only jsonPointers are followed here; what the others ignore may show.']
    : [];
}

/** Argo CD doesn't empty an Application by itself (controller/appcontroller.go, autoSync). */
function emptiedNotes({ spec }: Application): string[] {
  const { automated } = (spec.syncPolicy ?? {}) as { automated?: { allowEmpty?: boolean } };
  if (automated?.allowEmpty) return [];
  return ['Nothing is rendered any more, and Argo CD does not prune everything by itself: the sync would fail.'];
}

/**
 * Compares the objects of every component, or those of Applications of one name alone, with the cluster, as an `up` with
 * these settings would apply them. It removes nothing, so there is nothing to be pruned.
 */
export async function diffComponents(
  context: Context,
  facts: ClusterFacts,
  application?: string,
  components: readonly Component[] = componentsFor(context.config),
): Promise<ComponentDiff[]> {
  const chosen = components.filter(({ name }) => application === undefined || name === 'applications');
  const wanted = await Promise.all(
    chosen.map(async ({ name, objects }) => {
      if (objects === undefined) return [];
      try {
        return [{ component: name, objects: await objects(context) }];
      } catch (error) {
        return [{ component: name, objects: [], error: failureOf(error) }];
      }
    }),
  );
  const coming = holders(wanted.flat().flatMap(({ objects }) => objects));
  return Promise.all(
    wanted.flat().map(async ({ objects, ...component }) => {
      const named = objects.filter(({ metadata }) => application === undefined || metadata.name === application);
      const means = { api: context.api(), facts, manager: fieldManager, coming };
      return { ...component, ...(await compareObjects(named, means)) };
    }),
  );
}
