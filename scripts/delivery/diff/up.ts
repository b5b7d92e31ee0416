import type { Component } from '../../cluster/component.ts';
import { componentsFor } from '../../components/index.ts';
import type { Context } from '../../images/context.ts';
import { fieldManager } from '../../kubernetes/kubectl.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { holders } from '../../repository/manifests.ts';
import { type Comparison, compare } from './compare.ts';
import type { Facts } from './facts.ts';
import { type Failure, failureOf } from './failure.ts';

/** What `npm run up` would change of a component's objects, which Argo CD does not look after. */
export interface UpDiff extends Comparison {
  component: string;
  /** Why its objects could not be read. */
  error?: Failure;
}

/**
 * Compares the objects of every component, or those of Applications of one name alone, with the cluster, as an `up` with
 * these settings would apply them. It takes nothing away, so there is nothing to be pruned.
 */
export async function diffUp(
  context: Context,
  facts: Facts,
  application?: string,
  components: readonly Component[] = componentsFor(context.config),
): Promise<UpDiff[]> {
  const all = components.filter(({ objects }) => objects !== undefined);
  const chosen = application === undefined ? all : all.filter(({ name }) => name === 'applications');
  const wanted = await Promise.all(chosen.map((component) => objectsOf(context, component)));
  const coming = holders(wanted.flatMap(({ objects }) => objects));
  return Promise.all(
    wanted.map(async ({ component, objects, error }) => {
      const named = objects.filter(({ metadata }) => application === undefined || metadata.name === application);
      const means = { api: context.api(), facts, manager: fieldManager, coming };
      return { component, ...(error && { error }), ...(await compare(named, means)) };
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
