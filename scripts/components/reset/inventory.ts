import type { Component } from '../../cluster/component.ts';
import { finishedAt } from '../../cluster/creation.ts';
import { byDescent, type Claim, isInside, type Owner, ownerOf, ownerWithin } from '../../cluster/ownership.ts';
import { territoryOf } from '../../cluster/territory.ts';
import type { Context } from '../../images/context.ts';
import { type DiscoveredObject, everyObject } from '../../kubernetes/api/discovery.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { UserError } from '../../lib/errors.ts';
import { allComponents } from '../index.ts';

/** What is in the cluster besides Kubernetes. Of objects that own others, only the topmost is named. */
export interface ClusterInventory {
  /** What belongs to the platform and is to go, by component; the last, without a name, is of earlier versions. */
  platform: { component: string | undefined; objects: DiscoveredObject[] }[];
  /** What somebody put there by hand. */
  byHand: DiscoveredObject[];
  /** Namespaces and definitions of the platform that stay, because of what somebody put into them. */
  holders: DiscoveredObject[];
  /** What lost its owner, and which Kubernetes will collect in a moment. */
  orphans: DiscoveredObject[];
}

/**
 * Looks at every object of the cluster, and at whose it is; in one that others use as well, at what is the platform's and
 * what somebody put into that. With `all`, what was put there by hand keeps nothing. Throws a
 * `UserError` for a cluster that was never finished.
 */
export async function takeInventory(
  context: Context,
  { all = false, components = allComponents() }: { all?: boolean; components?: readonly Component[] } = {},
): Promise<ClusterInventory> {
  const claims = await claimsOf(context, components);
  const [objects, judge] = await Promise.all([everyObject(context.api()), ownershipOf(context, claims)]);
  const { roots, orphans } = byDescent(objects);
  const owned = roots.map((object) => ({ object, owner: judge.ownerOf(object) }));
  const byHand = owned.flatMap(({ object, owner }) => (owner.of === 'person' ? [object] : []));
  const ofPlatform = owned.filter(({ owner }) => owner.of === 'component' || owner.of === 'platform');
  const holders = all
    ? []
    : ofPlatform.flatMap(({ object }) => (byHand.some((one) => isInside(one, object)) ? [object] : []));
  const groups = [...claims.map(({ name }) => name), undefined].map((component) => ({
    component,
    objects: ofPlatform.flatMap(({ object, owner }) =>
      (owner.of === 'component' ? owner.name : undefined) === component && !holders.includes(object) ? [object] : [],
    ),
  }));
  return {
    platform: groups.filter((group) => group.objects.length > 0),
    byHand,
    holders,
    orphans: orphans.filter(judge.concerns),
  };
}

interface Ownership {
  ownerOf(object: DiscoveredObject): Owner;
  /** Whether it matters here that an object has lost its owner. */
  concerns(object: DiscoveredObject): boolean;
}

/** How to know whose an object is. Throws a `UserError` for a cluster that was never finished. */
async function ownershipOf(context: Context, claims: readonly Claim[]): Promise<Ownership> {
  const territory = await territoryOf(context);
  if (context.target !== undefined) {
    return {
      ownerOf: (object) => ownerWithin(object, territory, claims),
      concerns: (object) => territory.owns(object) || territory.ranFor(object),
    };
  }
  const finished = await finishedAt(context);
  const claimed = claims.map(({ name, owns }) => ({
    name,
    owns: (one: KubeObject) => territory.owns(one) && owns(one),
  }));
  if (finished) return { ownerOf: (object) => ownerOf(object, finished, claimed), concerns: () => true };
  throw new UserError(`The cluster ${context.config.clusterName} is half created: there is nothing to reset.`, {
    id: 'cluster-half-created',
    hint: 'npm run up makes it anew; npm run down deletes it.',
  });
}

/** All that belongs to the platform and is to go. */
export function platformObjects({ platform }: ClusterInventory): DiscoveredObject[] {
  return platform.flatMap(({ objects }) => objects);
}

async function claimsOf(context: Context, components: readonly Component[]): Promise<Claim[]> {
  return Promise.all(
    components.flatMap((component) =>
      component.owns ? [component.owns(context).then((owns) => ({ name: component.name, owns }))] : [],
    ),
  );
}
