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
import { counted } from '../lib/text.ts';
import { imagesOf } from '../repository/manifests.ts';
import { assertNoForeignObjects } from './confirm-target.ts';
import { inCluster } from './removal.ts';

/** What `up` does: each step as soon as those that it needs are done, in the order of components/index.ts. */
export interface InstallPlan {
  /** Whether there is no cluster yet. */
  isNew: boolean;
  steps: readonly Component[];
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
): Promise<{ done: InstallStep[]; notes: string[] }> {
  for (const { prefetch, prepare, read } of steps) {
    // A new cluster has no images yet: fetching them starts while it boots. An existing one has them.
    const early = isNew ? [prefetch, prepare] : [read];
    for (const work of early) work?.(context).catch(() => {});
  }
  const done: InstallStep[] = [];
  const notes: string[] = [];
  const tasks = steps.map(({ name, needs, apply }) => ({
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

function described({ changed, detail }: ApplyResult): string {
  return [detail, changed.length === 0 ? 'nothing to do' : ''].filter(Boolean).join(' — ');
}

/** What a step of a plan will do, as far as a look can tell that changes nothing. */
interface StepPreview {
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
  { isNew, steps }: InstallPlan,
  blocked?: string,
): Promise<StepPreview[]> {
  const mayAsk = !isNew && blocked === undefined;
  const status = mayAsk ? await steps.find(({ name }) => name === cluster.name)?.status(context) : undefined;
  // Nothing can be asked of a cluster that does not run.
  const silent = status === undefined || status.state === 'ready' ? blocked : status.missing;
  return Promise.all(
    steps.map((one) =>
      one.name === cluster.name
        ? previewStep(context, one, { isNew, blocked, status })
        : previewStep(context, one, { isNew, blocked: silent }),
    ),
  );
}

async function previewStep(
  context: Context,
  component: Component,
  { isNew, blocked, status: known }: { isNew: boolean; blocked: string | undefined; status?: Status | undefined },
): Promise<StepPreview> {
  const { name } = component;
  try {
    if (isNew) return { name, state: 'to do', ...(await allOf(context, component)) };
    if (blocked !== undefined) return { name, state: 'unknown', why: blocked, ...(await allOf(context, component)) };
    const status = known ?? (await component.status(context));
    const work = await differencesOf(context, component);
    if (status.state !== 'ready') return { name, state: 'to do', why: status.missing, ...work };
    return { name, state: Object.values(work).every(({ length }) => length === 0) ? 'done' : 'to do', ...work };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const state = isNew ? 'to do' : 'unknown';
    return { name, state, why: error.message, creates: [], changes: [], images: [] };
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

/** What `up` would do, and what would keep it from that. */
export interface UpPreview {
  isNew: boolean;
  steps: StepPreview[];
  /** What has to be downloaded besides images: tools, and the image of the node. */
  downloads: string[];
  /** Why it would stop before it changes anything. */
  problems: string[];
  notes: string[];
}

/** A preview as it is read. */
export function previewLines(cluster: string, { isNew, steps, downloads, problems, notes }: UpPreview): string[] {
  const isKnown = steps.every(({ state }) => state !== 'unknown');
  const title = isNew
    ? `npm run up would create the cluster ${cluster}, and install into it:`
    : steps.every(({ state }) => state === 'done')
      ? `npm run up would change nothing in the cluster ${cluster}:`
      : isKnown
        ? `npm run up would work on the cluster ${cluster}:`
        : `npm run up would work on these in the cluster ${cluster}, as far as can be told:`;
  return [
    title,
    ...steps.flatMap((step) => stepLines(step, isNew || !isKnown)),
    ...(downloads.length > 0 ? [`Would be downloaded before: ${downloads.join(', ')}.`] : []),
    ...notes.map((note) => `! ${note}`),
    ...problems.map((problem) => `✖ ${problem}`),
    ...(problems.length > 0 ? ['Until that is solved, npm run up stops before it changes anything.'] : []),
  ];
}

/** A line for a step, and unless it is to be brief, the objects and images that the cluster still lacks. */
function stepLines({ name, state, why, creates, changes, images }: StepPreview, isBrief: boolean): string[] {
  const counts = [
    ...(creates.length > 0 ? [`${creates.length} to create`] : []),
    ...(changes.length > 0 ? [`${changes.length} to change`] : []),
    ...(images.length > 0 ? [counted(images.length, 'image')] : []),
  ];
  const about = [counts.join(', '), why].filter(Boolean).join('; ');
  const line = `  ${name.padEnd(18)} ${state}${about === '' ? '' : `: ${about}`}`;
  if (isBrief) return [line];
  return [
    line,
    ...creates.map((object) => `    create ${object}`),
    ...changes.map((object) => `    change ${object}`),
    ...images.map((image) => `    image ${image}`),
  ];
}
