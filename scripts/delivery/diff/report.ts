import type { Component } from '../../cluster/component.ts';
import { applications as applicationsComponent } from '../../components/applications.ts';
import { componentsFor } from '../../components/index.ts';
import type { Context } from '../../images/context.ts';
import { fieldManager } from '../../kubernetes/kubectl.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { ExitCode } from '../../lib/errors.ts';
import { uncommittedFiles } from '../../lib/git/checkout.ts';
import { unknownWord } from '../../lib/text.ts';
import type { Application } from '../../repository/applications.ts';
import { holders } from '../../repository/manifests.ts';
import { argocdManager } from '../drift/changes.ts';
import { type ApplicationDiff, diffApplications } from './applications.ts';
import { compareObjects, type Failure, failureOf, type ObjectComparison } from './compare.ts';
import { createRenderer } from './render.ts';
import { type ClusterFacts, readClusterFacts } from './targets.ts';

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

/** Compares the working tree with the cluster, or one Application of it alone, and changes nothing. */
export async function gatherDiff(context: Context, application?: string): Promise<DiffReport> {
  const registered = (await applicationsComponent.objects?.(context)) ?? [];
  const all = registered.filter(({ kind }) => kind === 'Application') as Application[];
  const chosen = all.filter(({ metadata }) => application === undefined || metadata.name === application);
  if (chosen.length === 0) {
    const names = all.map(({ metadata }) => metadata.name);
    throw unknownWord(`argocd/ has no Application ${application ?? ''}.`.replace(' .', '.'), application ?? '', names);
  }
  const [facts, render, checkout, notes] = await Promise.all([
    readClusterFacts(context.api()),
    createRenderer(context),
    context.checkout(),
    editsElsewhere(context),
  ]);
  const scene = { context, facts, render, manager: argocdManager };
  const [applications, up] = await Promise.all([
    diffApplications(scene, chosen, registered),
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
async function editsElsewhere({ config, exec }: Context): Promise<string[]> {
  const [kind, standIns] = await Promise.all(
    ['cluster/kind.yaml', 'standins'].map((path) => uncommittedFiles(exec, config.root, [path])),
  );
  return [
    ...(kind?.length ? ['cluster/kind.yaml is edited: it counts for a new cluster (npm run down && npm run up).'] : []),
    ...(standIns?.length ? ['standins/ is edited: npm run up builds their images anew, where it uses them.'] : []),
  ];
}

/** What `npm run up` would change of a component's objects, which Argo CD does not look after. */
export interface ComponentDiff extends ObjectComparison {
  component: string;
  /** Why its objects could not be read. */
  error?: Failure;
}

/**
 * Compares the objects of every component, or those of Applications of one name alone, with the cluster, as an `up` with
 * these settings would apply them. It takes nothing away, so there is nothing to be pruned.
 */
export async function diffComponents(
  context: Context,
  facts: ClusterFacts,
  application?: string,
  components: readonly Component[] = componentsFor(context.config),
): Promise<ComponentDiff[]> {
  const all = components.filter(({ objects }) => objects !== undefined);
  const chosen = application === undefined ? all : all.filter(({ name }) => name === 'applications');
  const wanted = await Promise.all(chosen.map((component) => objectsOf(context, component)));
  const coming = holders(wanted.flatMap(({ objects }) => objects));
  return Promise.all(
    wanted.map(async ({ component, objects, error }) => {
      const named = objects.filter(({ metadata }) => application === undefined || metadata.name === application);
      const means = { api: context.api(), facts, manager: fieldManager, coming };
      return { component, ...(error && { error }), ...(await compareObjects(named, means)) };
    }),
  );
}

async function objectsOf(
  context: Context,
  { name, objects }: Component,
): Promise<{ component: string; objects: KubeObject[]; error?: Failure }> {
  try {
    return { component: name, objects: (await objects?.(context)) ?? [] };
  } catch (error) {
    return { component: name, objects: [], error: failureOf(error) };
  }
}
