import { setMaxListeners } from 'node:events';
import { cluster } from '../components/cluster.ts';
import type { Component, Outcome } from '../components/component.ts';
import { componentsFor } from '../components/index.ts';
import { type Context, createContext } from '../context.ts';
import { chooseAccount } from '../credentials/choose.ts';
import { terminalOf } from '../credentials/prompt.ts';
import { refuseFailures } from '../failures.ts';
import { ExitCode } from '../lib/errors.ts';
import { runGraph } from '../lib/graph.ts';
import { createProgress, type Progress } from '../lib/progress.ts';
import { lockCluster } from '../lock-cluster.ts';
import { preflight } from '../preflight.ts';
import { summary, uncommittedNote } from '../summary.ts';
import type { Invocation } from './command.ts';

interface Step {
  name: string;
  seconds: number;
  changed: string[];
}

/** Carries out `npm run up`. */
export async function runUp(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, signal, print, progressStream } = invocation;
  const started = performance.now();
  const progress = await createProgress(progressStream);
  const unlock = await lockCluster(invocation, 'up');
  // Fetching ahead must not outlive the command, however it ends.
  const ended = new AbortController();
  try {
    const either = AbortSignal.any([signal, ended.signal]);
    setMaxListeners(0, either);
    const context = createContext(config, {
      signal: either,
      ...(typeof flags.timeout === 'number' && { timeout: flags.timeout }),
      ...(flags.verbose && { onCommand: (command) => progress.note(`$ ${command.join(' ')}`) }),
      onDownload: (what) => progress.note(`Fetching ${what}.`),
      onRetry: (why) => progress.note(`! Tried again: ${why}`),
    });
    progress.start('preflight');
    // Asks GitHub, which can go on meanwhile; what comes of it is told below.
    context.credentials.search().catch(() => {});
    const warnings = await preflight(context);
    progress.done('preflight', secondsSince(started));
    for (const warning of warnings) progress.note(`! ${warning}`);
    await chooseAccount(context, await whoToAsk(context, invocation), (text) => progress.note(text));

    const { steps, notes } = await installAll(context, progress);
    const seconds = secondsSince(started);
    const uncommitted = await uncommittedNote(context);
    for (const note of [...notes, ...uncommitted]) progress.note(`! ${note}`);
    progress.stop();
    const changed = steps.flatMap((step) => step.changed);
    print(
      flags.json
        ? JSON.stringify({ ready: true, seconds, changed, steps }, undefined, 2)
        : await summary(context, seconds, changed.length),
    );
    return ExitCode.done;
  } finally {
    progress.stop();
    ended.abort();
    unlock();
  }
}

/** Somebody at a terminal, while there is no cluster yet and nothing that says to use stand-ins. */
async function whoToAsk(context: Context, { config, flags, signal, progressStream }: Invocation) {
  if (flags.json || config.tokens.use === 'none') return undefined;
  const terminal = terminalOf(process.stdin, progressStream, signal);
  if (!terminal) return undefined;
  const { state } = await cluster.status(context);
  return state === 'absent' ? terminal : undefined;
}

/** Applies every component as soon as what it needs is ready. Throws a `UserError` that names all that failed. */
async function installAll(context: Context, progress: Progress): Promise<{ steps: Step[]; notes: string[] }> {
  const components = componentsFor(context.config);
  await prefetch(context, components);
  const steps: Step[] = [];
  const notes: string[] = [];
  const tasks = components.map((component) => ({
    name: component.name,
    needs: component.needs,
    run: async () => {
      const started = performance.now();
      progress.start(component.name);
      let outcome: Outcome;
      try {
        outcome = await component.apply(context);
      } catch (error) {
        progress.failed(component.name, secondsSince(started));
        throw error;
      }
      const seconds = secondsSince(started);
      steps.push({ name: component.name, seconds, changed: outcome.changed });
      notes.push(...(outcome.notes ?? []));
      progress.done(component.name, seconds, described(outcome));
    },
  }));
  refuseFailures(await runGraph(tasks));
  return { steps, notes };
}

/** A new cluster has no images yet: fetching them starts while it boots. An existing one has them. */
async function prefetch(context: Context, components: readonly Component[]): Promise<void> {
  const { state } = await cluster.status(context);
  if (state !== 'absent') return;
  for (const component of components) component.prefetch?.(context).catch(() => {});
}

function described({ changed, detail }: Outcome): string {
  const what = changed.length === 0 ? 'nothing to do' : '';
  return [detail, what].filter((text) => text !== undefined && text !== '').join(' — ');
}

function secondsSince(start: number): number {
  return Math.round(performance.now() - start) / 1000;
}
