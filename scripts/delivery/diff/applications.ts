import { notReadyReason } from '../../components/applications.ts';
import type { Context } from '../../images/context.ts';
import type { KubeObject, Named } from '../../kubernetes/objects.ts';
import { namedOf } from '../../kubernetes/objects.ts';
import { UserError } from '../../lib/errors.ts';
import { type Application, applicationsOf } from '../../repository/applications.ts';
import {
  compareObjects,
  type Failure,
  failureOf,
  type IgnoreRule,
  type ObjectComparison,
  type Refusal,
} from './compare.ts';
import type { Renderer } from './render.ts';
import {
  type ClusterFacts,
  isKindAllowed,
  listDeployable,
  pruneResult,
  type RenderedTargets,
  servedAs,
  targetsOf,
} from './targets.ts';

/** What a commit of the working tree would change of what an Application deploys. */
export interface ApplicationDiff extends ObjectComparison {
  name: string;
  /** Why its chart could not be rendered: then nothing is known of it. */
  error?: Failure;
  /** What would no longer be rendered, and stay all the same. */
  kept: (Named & { because: string })[];
  /** What would be run beside the sync. */
  hooks: (Named & { phases: string[] })[];
  /** What a person should know besides, a sentence each. */
  notes: string[];
}

export interface DiffContext {
  context: Context;
  facts: ClusterFacts;
  render: Renderer;
  /** What Argo CD applies under. */
  manager: string;
}

/** Compares what Applications render with the cluster, side by side. `registered` also holds the projects that they are in. */
export async function diffApplications(
  scene: DiffContext,
  chosen: readonly Application[],
  registered: readonly KubeObject[],
): Promise<ApplicationDiff[]> {
  const { context, facts } = scene;
  const live = await applicationsOf(context);
  const commit = context.config.gitops ? undefined : (await context.checkout()).head;
  const objects = new Map<KubeObject, Promise<KubeObject[]>>();
  return Promise.all(
    chosen.map(async (application) => {
      const project = projectOf(application, registered);
      const deployed = objects.get(project) ?? listDeployable(context.api(), facts, project);
      objects.set(project, deployed);
      const one = live.find(({ metadata }) => metadata.name === application.metadata.name);
      const notes = [...outOfStepNotes(one, commit), ...unsupportedNotes(application)];
      return diffOne(scene, application, project, await deployed, notes);
    }),
  );
}

async function diffOne(
  { context, facts, render, manager }: DiffContext,
  application: Application,
  project: KubeObject,
  deployed: readonly KubeObject[],
  notes: string[],
): Promise<ApplicationDiff> {
  const { name } = application.metadata;
  let targets: RenderedTargets;
  try {
    targets = targetsOf(await render(application, facts), application, facts);
  } catch (error) {
    return { name, error: failureOf(error), changes: [], refused: [], kept: [], hooks: [], notes };
  }
  const forbidden = targets.objects.filter((object) => !isPermitted(project, object, facts));
  const accepted = targets.objects.filter((object) => !forbidden.includes(object));
  const ignored = (application.spec.ignoreDifferences ?? []) as IgnoreRule[];
  const { changes, refused } = await compareObjects(accepted, { api: context.api(), facts, manager, ignored });
  const { pruned, kept } = pruneResult(application, deployed, targets.objects);
  const all = [...changes, ...pruned.map((object) => ({ ...namedOf(object), action: 'prune' as const }))];
  return {
    name,
    changes: all,
    refused: [...forbidden.map((object) => refusalBy(project, object)), ...refused],
    kept: kept.map(({ object, because }) => ({ ...namedOf(object), because })),
    // A sync runs them, and there is none where nothing else differs.
    hooks: all.length === 0 ? [] : targets.hooks.map(({ object, phases }) => ({ ...namedOf(object), phases })),
    notes: [...notes, ...emptyNotes(application, targets, pruned)],
  };
}

function projectOf({ metadata, spec }: Application, registered: readonly KubeObject[]): KubeObject {
  const project = registered.find((object) => object.kind === 'AppProject' && object.metadata.name === spec.project);
  if (project) return project;
  throw new UserError(
    `The Application ${metadata.name} is in the project ${spec.project}, which argocd/ does not have.`,
    {
      hint: 'npm run validate',
    },
  );
}

function isPermitted(project: KubeObject, object: KubeObject, facts: ClusterFacts): boolean {
  return isKindAllowed(project, object, servedAs(facts, object)?.namespaced ?? true);
}

function refusalBy({ metadata }: KubeObject, object: KubeObject): Refusal {
  return { ...namedOf(object), reason: `the project ${metadata.name} does not allow the kind ${object.kind}` };
}

/** What the cluster says of an Application, where that is not in step with the commit that is checked out. */
function outOfStepNotes(live: Application | undefined, commit: string | undefined): string[] {
  if (!live) return ['It is not registered yet: npm run up does that, and Argo CD then makes what follows.'];
  const { sync } = live.status ?? {};
  if (sync?.status === 'Synced' && (commit === undefined || sync.revision === commit)) return [];
  return [`Argo CD has it ${notReadyReason(live, commit)}: compared is what the cluster has now.`];
}

function unsupportedNotes({ spec }: Application): string[] {
  const entries = (spec.ignoreDifferences ?? []) as IgnoreRule[];
  const other = entries.some(
    ({ jqPathExpressions, managedFieldsManagers }) => jqPathExpressions ?? managedFieldsManagers,
  );
  return other
    ? ['Of its ignoreDifferences only jsonPointers are followed here; what the others ignore may show.']
    : [];
}

/** Argo CD doesn't empty an Application by itself (controller/appcontroller.go, autoSync). */
function emptyNotes({ spec }: Application, { objects }: RenderedTargets, pruned: readonly KubeObject[]): string[] {
  const { automated } = (spec.syncPolicy ?? {}) as { automated?: { allowEmpty?: boolean } };
  if (objects.length > 0 || pruned.length === 0 || automated?.allowEmpty) return [];
  return ['Nothing is rendered any more, and Argo CD does not prune everything by itself: the sync would fail.'];
}
