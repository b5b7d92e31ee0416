import { cluster } from '../cluster/cluster.ts';
import type { ApplyResult, Component } from '../cluster/component.ts';
import { refuseStrangers } from '../components/consent/strangers.ts';
import { componentsFor } from '../components/index.ts';
import type { Context } from '../images/context.ts';
import type { TimedStep } from '../kubernetes/timeline.ts';
import { assertNoFailures, runGraph } from '../lib/tasks.ts';
import { type Progress, timed } from '../lib/terminal/progress.ts';

/** A component that was brought to ready. */
export interface Step extends TimedStep {
  changed: string[];
}

/**
 * Applies every component as soon as what it needs is ready; `isNew` says that there is no cluster yet. Throws a `UserError`
 * that names all that failed.
 */
export async function installAll(
  context: Context,
  progress: Progress,
  { isNew }: { isNew: boolean },
): Promise<{ steps: Step[]; notes: string[] }> {
  const components = componentsFor(context.config);
  if (isNew) beginEarly(context, components);
  else for (const { read } of components) read?.(context).catch(() => {});
  const steps: Step[] = [];
  const notes: string[] = [];
  const tasks = components.map((component) => ({
    name: component.name,
    needs: component.needs,
    run: async () => {
      const { name, needs } = component;
      const start = performance.now();
      const over = context.trace?.begin('component', name);
      const apply = async () => {
        const outcome = await component.apply(context);
        // It answers now. One that others run was looked at before.
        if (name === cluster.name && !isNew && context.target === undefined) await refuseStrangers(context);
        return outcome;
      };
      const applied = timed(progress, name, apply, described);
      const outcome = await applied.finally(() => over?.());
      steps.push({ name, needs, start, end: performance.now(), changed: outcome.changed });
      notes.push(...(outcome.notes ?? []));
    },
  }));
  assertNoFailures(await runGraph(tasks));
  return { steps, notes };
}

/** A new cluster has no images yet: fetching them starts while it boots. An existing one has them. */
function beginEarly(context: Context, components: readonly Component[]): void {
  for (const { prefetch, prepare } of components) {
    prefetch?.(context).catch(() => {});
    prepare?.(context).catch(() => {});
  }
}

function described({ changed, detail }: ApplyResult): string {
  const what = changed.length === 0 ? 'nothing to do' : '';
  return [detail, what].filter((text) => text !== undefined && text !== '').join(' — ');
}
