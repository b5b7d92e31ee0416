import type { Component } from '../components/component.ts';
import { componentsFor } from '../components/index.ts';
import type { Context } from '../context.ts';
import { fieldManager } from '../lib/kubectl.ts';
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
export async function diffUp(context: Context, facts: Facts, application?: string): Promise<UpDiff[]> {
  const components = componentsFor(context.config).filter(({ objects }) => objects !== undefined);
  const chosen = application === undefined ? components : components.filter(({ name }) => name === 'applications');
  return Promise.all(chosen.map((component) => diffComponent(context, facts, component, application)));
}

async function diffComponent(
  context: Context,
  facts: Facts,
  component: Component,
  application: string | undefined,
): Promise<UpDiff> {
  const { name } = component;
  try {
    const objects = (await component.objects?.(context)) ?? [];
    const chosen = objects.filter(({ metadata }) => application === undefined || metadata.name === application);
    const means = { api: context.api(), facts, manager: fieldManager };
    return { component: name, ...(await compare(chosen, means)) };
  } catch (error) {
    return { component: name, error: failureOf(error), changes: [], refused: [] };
  }
}
