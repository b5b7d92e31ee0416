import type { Component } from '../../cluster/component.ts';
import { finishedAt, halfCreated } from '../../cluster/creation.ts';
import { byDescent, type Claim, isInside, type Owner, ownerOf } from '../../cluster/ownership.ts';
import { territoryOf } from '../../cluster/territory.ts';
import type { Config } from '../../config/config.ts';
import type { Context } from '../../images/context.ts';
import { type DiscoveredObject, everyObject } from '../../kubernetes/api/discovery.ts';
import { type KubeObject, nameOf } from '../../kubernetes/objects.ts';
import { counted } from '../../lib/text.ts';
import { allComponents } from '../index.ts';

/** What `reset` does, and what it leaves. Of objects that own others, only the topmost is named. */
export interface ResetPlan {
  /** What is removed, in this order: a step for each component that the cluster has something of. */
  steps: { title: string; objects: DiscoveredObject[] }[];
  /** What you put there by hand and stays. */
  byHand: DiscoveredObject[];
  /** Namespaces and CRDs of the platform that stay, because of what you put into them. */
  holders: DiscoveredObject[];
  /** What lost its owner, and which Kubernetes will collect in a moment. */
  orphans: DiscoveredObject[];
}

/** The title of the first step with `--all`, and that of the last one: what no component knows any more. */
export const [byHandTitle, earlierTitle] = ['put there by hand', 'of earlier versions'] as const;

interface PlanOptions {
  /** Whether what you put there by hand is removed as well. */
  all?: boolean;
  /** All components there are, unless others are given. */
  components?: readonly Component[];
}

/**
 * Looks at every object of the cluster, and at whose it is; in one that others use as well, at what is the platform's and
 * what somebody put into that. Changes nothing.
 * @throws UserError for a cluster that was never finished.
 */
export async function planReset(context: Context, options: PlanOptions = {}): Promise<ResetPlan> {
  const { all = false, components = allComponents() } = options;
  const isShared = context.target !== undefined;
  const [objects, territory, claims, finished] = await Promise.all([
    everyObject(context.api()),
    territoryOf(context),
    claimsOf(context, components),
    isShared ? undefined : finishedAt(context),
  ]);
  if (!isShared && !finished) throw halfCreated(context);
  const { roots, orphans } = byDescent(objects);
  const owned = roots.map((object) => ({ object, owner: ownerOf(object, { territory, claims, finished }) }));
  const byHand = owned.flatMap(({ object, owner }) => (owner.of === 'person' ? [object] : []));
  const isHolder = ({ object, owner }: (typeof owned)[number]) =>
    !all && (owner.of === 'component' || owner.of === 'platform') && byHand.some((one) => isInside(one, object));
  const steps = [byHandTitle, ...components.map(({ name }) => name).toReversed(), earlierTitle].map((title) => ({
    title,
    objects: owned.flatMap((one) => (titleOf(one.owner, all) === title && !isHolder(one) ? [one.object] : [])),
  }));
  return {
    steps: steps.filter((step) => step.objects.length > 0),
    byHand: all ? [] : byHand,
    holders: owned.filter(isHolder).map(({ object }) => object),
    // Those of others in a shared cluster are for others to wait for.
    orphans: orphans.filter((object) => !isShared || territory.owns(object) || territory.ranFor(object)),
  };
}

/** In which step an object is removed, or undefined where it stays. */
function titleOf(owner: Owner, all: boolean): string | undefined {
  if (owner.of === 'component') return owner.name;
  if (owner.of === 'platform') return earlierTitle;
  return owner.of === 'person' && all ? byHandTitle : undefined;
}

async function claimsOf(context: Context, components: readonly Component[]): Promise<Claim[]> {
  const claims = components.map(async ({ name, owns }) => (owns ? [{ name, owns: await owns(context) }] : []));
  return (await Promise.all(claims)).flat();
}

/** All that is removed. */
export function objectsToRemove({ steps }: Pick<ResetPlan, 'steps'>): DiscoveredObject[] {
  return steps.flatMap(({ objects }) => objects);
}

/** A line for each object. */
export function nameLines(objects: readonly KubeObject[]): string[] {
  return objects.map((object) => `  ${nameOf(object)}`);
}

/** What would be removed, object by object, and what would stay. What these own is removed and stays with them. */
export function resetLines(config: Pick<Config, 'clusterName' | 'target'>, plan: ResetPlan): string[] {
  const count = objectsToRemove(plan).length;
  return [
    count === 0
      ? `Nothing to remove: the cluster ${config.clusterName} has nothing of the platform.`
      : `Would be removed from the cluster ${config.clusterName}: ${counted(count, 'object')}, with what they own.`,
    ...plan.steps.flatMap(({ title, objects }) => [`${title} (${objects.length})`, ...nameLines(objects)]),
    ...keptLines(config, plan),
  ];
}

/** What stays, object by object, and how to remove it; on a cluster that others use as well, they alone delete it. */
export function keptLines({ target }: Pick<Config, 'target'>, { byHand, holders }: ResetPlan): string[] {
  if (byHand.length === 0) return [];
  return [
    `Kept, because it was put there by hand${target === undefined ? ' (npm run reset -- --all removes it, too)' : ''}:`,
    ...nameLines(byHand),
    ...(holders.length > 0 ? ['Kept for what is in it:', ...nameLines(holders)] : []),
  ];
}

/** What you are asked before anything is removed. */
export function confirmationQuestion({ clusterName }: Pick<Config, 'clusterName'>, plan: ResetPlan): string {
  const theirs = plan.steps.find(({ title }) => title === byHandTitle)?.objects ?? [];
  const ours = counted(objectsToRemove(plan).length - theirs.length, 'object');
  if (theirs.length > 0)
    return `Remove the platform (${ours}) and what was put by hand (${counted(theirs.length, 'object')}) from the cluster ${clusterName}?`;
  const kept =
    plan.byHand.length > 0 ? `, and keep what was put there by hand (${counted(plan.byHand.length, 'object')})` : '';
  return `Remove the platform from the cluster ${clusterName} (${ours})${kept}?`;
}
