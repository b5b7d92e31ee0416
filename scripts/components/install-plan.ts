import { cluster } from '../cluster/cluster.ts';
import type { ApplyResult, Component, Status } from '../cluster/component.ts';
import type { Context } from '../images/context.ts';
import { objectsToChange } from '../kubernetes/kubectl.ts';
import { identityOf, type KubeObject, nameOf } from '../kubernetes/objects.ts';
import type { TimedStep } from '../kubernetes/timeline.ts';
import { fullImageName } from '../lib/docker/images.ts';
import { UserError } from '../lib/errors.ts';
import { assertNoFailures, runGraph } from '../lib/tasks.ts';
import { type Progress, timed } from '../lib/terminal/progress.ts';
import { imagesOf } from '../repository/manifests.ts';
import { assertNoForeignObjects } from './confirm-target.ts';
import { componentsFor } from './index.ts';
import { inCluster } from './removal.ts';

/** What `up` does: each step as soon as those that it needs are done. */
export interface InstallPlan {
  /** Whether there is no cluster yet. */
  isNew: boolean;
  steps: readonly { name: string; needs: readonly string[] }[];
}

/** @returns the plan to bring all components to ready, in the order of components/index.ts. */
export function planInstall(components: readonly Component[], { isNew }: { isNew: boolean }): InstallPlan {
  return { isNew, steps: components.map(({ name, needs }) => ({ name, needs })) };
}

/** A component that was brought to ready. */
export interface InstallStep extends TimedStep {
  changed: string[];
}

/**
 * Carries out a plan.
 * @throws UserError that names all that failed.
 */
export async function executeInstall(
  context: Context,
  { isNew, steps }: InstallPlan,
  progress: Progress,
  all: readonly Component[] = componentsFor(context.config),
): Promise<{ done: InstallStep[]; notes: string[] }> {
  const components = componentsOf(steps, all);
  for (const { prefetch, prepare, read } of components) {
    // A new cluster has no images yet: fetching them starts while it boots. An existing one has them.
    const early = isNew ? [prefetch, prepare] : [read];
    for (const work of early) work?.(context).catch(() => {});
  }
  const done: InstallStep[] = [];
  const notes: string[] = [];
  const tasks = components.map(({ name, needs, apply }) => ({
    name,
    needs,
    run: async () => {
      const start = performance.now();
      const over = context.trace?.begin('component', name);
      const work = async () => {
        const outcome = await apply(context);
        // It answers now. One that others run was looked at before.
        if (name === cluster.name && !isNew && context.target === undefined) await assertNoForeignObjects(context);
        return outcome;
      };
      const outcome = await timed(progress, name, work, described).finally(() => over?.());
      done.push({ name, needs, start, end: performance.now(), changed: outcome.changed });
      notes.push(...(outcome.notes ?? []));
    },
  }));
  assertNoFailures(await runGraph(tasks));
  return { done, notes };
}

/** The components that a plan names, in its order. */
function componentsOf(steps: InstallPlan['steps'], all: readonly Component[]): Component[] {
  return steps.map(({ name, needs }) => {
    const component = all.find((one) => one.name === name);
    if (!component) throw new Error(`the plan names ${name}, which is not a component`);
    return { ...component, needs };
  });
}

function described({ changed, detail }: ApplyResult): string {
  const what = changed.length === 0 ? 'nothing to do' : '';
  return [detail, what].filter((text) => text !== undefined && text !== '').join(' — ');
}

/** What a step of a plan will do, as far as a look can tell that changes nothing. */
export interface StepPreview {
  name: string;
  state: 'done' | 'to do' | 'unknown';
  /** What is missing, or why it can't be told. */
  why?: string;
  /** Objects by name, as `apply` tells them. What else a component makes, as Secrets, is not among them. */
  creates: string[];
  changes: string[];
  /** The images that the node gets. */
  images: string[];
}

/**
 * Looks at what a plan will do. Changes nothing.
 * @param blocked why the cluster can't be asked, where it can't be.
 */
export async function previewInstall(
  context: Context,
  plan: InstallPlan,
  all: readonly Component[] = componentsFor(context.config),
  blocked?: string,
): Promise<StepPreview[]> {
  const present = plan.isNew ? newCluster : blocked === undefined ? await answering(context, all) : unknown(blocked);
  return Promise.all(componentsOf(plan.steps, all).map((component) => previewStep(context, component, present)));
}

/** How to ask for the status of a component. */
type Ask = (component: Component) => Promise<Status | { state: 'unknown'; missing: string }>;

const newCluster: Ask = async () => ({ state: 'absent', missing: '' });

function unknown(missing: string): Ask {
  return async () => ({ state: 'unknown', missing });
}

/** Nothing can be asked of a cluster that does not run. */
async function answering(context: Context, all: readonly Component[]): Promise<Ask> {
  const status = await all.find(({ name }) => name === cluster.name)?.status(context);
  const others: Ask =
    status === undefined || status.state === 'ready' ? (one) => one.status(context) : unknown(status.missing);
  return async (component) => (status && component.name === cluster.name ? status : others(component));
}

async function previewStep(context: Context, component: Component, ask: Ask): Promise<StepPreview> {
  const { name } = component;
  const nothing = { creates: [], changes: [], images: [] };
  try {
    const status = await ask(component);
    const isAsked = ask !== newCluster && status.state !== 'unknown';
    const work = await (isAsked ? differencesOf : allOf)(context, component);
    if (status.state === 'unknown') return { name, state: 'unknown', why: status.missing, ...work };
    const isDone = status.state === 'ready' && Object.values(work).every(({ length }) => length === 0);
    const why = status.state === 'ready' ? undefined : status.missing;
    return { name, state: isDone ? 'done' : 'to do', ...(why && { why }), ...work };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { name, state: ask === newCluster ? 'to do' : 'unknown', why: error.message, ...nothing };
  }
}

type Work = Pick<StepPreview, 'creates' | 'changes' | 'images'>;

async function allOf(context: Context, { read, objects }: Component): Promise<Work> {
  const wanted = (await (read ?? objects)?.(context)) ?? [];
  return { creates: wanted.map(nameOf), changes: [], images: imagesOf(wanted) };
}

async function differencesOf(context: Context, { read, objects }: Component): Promise<Work> {
  const [whole, wanted] = await Promise.all([read?.(context) ?? [], objects?.(context) ?? []]);
  const [present, differing, inNode] = await Promise.all([
    inCluster(context, wanted),
    wanted.length === 0 ? [] : objectsToChange(context.api(), wanted),
    context.images.inNode(),
  ]);
  const known = new Set(present.map(identityOf));
  const isNew = (object: KubeObject) => !known.has(identityOf(object));
  return {
    creates: differing.filter(isNew).map(nameOf),
    changes: differing.filter((object) => !isNew(object)).map(nameOf),
    images: context.target === undefined ? imagesOf(whole).filter((image) => !inNode.has(fullImageName(image))) : [],
  };
}
