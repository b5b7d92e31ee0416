import { setMaxListeners } from 'node:events';
import { existsSync } from 'node:fs';
import { diagnose, preflight } from '../checks/doctor/preflight.ts';
import { upSummary } from '../checks/status.ts';
import { reach } from '../cluster/cluster.ts';
import { lockCluster } from '../cluster/lock.ts';
import { assertOwnContainer, assertPorts, assertSeesCommits } from '../cluster/node.ts';
import { assertNoForeignObjects, assertTargetFits, confirmTarget } from '../components/confirm-target.ts';
import { componentsFor } from '../components/index.ts';
import {
  executeInstall,
  type InstallStep,
  previewInstall,
  previewLines,
  type UpPreview,
} from '../components/install-plan.ts';
import { createContext } from '../context.ts';
import type { Context } from '../images/context.ts';
import { chooseAccount } from '../images/credentials/choose-account.ts';
import { describeAccount } from '../images/credentials/credentials.ts';
import { keepImages } from '../images/keep-images.ts';
import { nodeContainer } from '../kubernetes/explain/runtime.ts';
import { criticalPath, criticalPathLine, writeTimeline } from '../kubernetes/timeline.ts';
import { hasImage } from '../lib/docker/images.ts';
import { ExitCode, UserError } from '../lib/errors.ts';
import { createProgress, type Progress } from '../lib/terminal/progress.ts';
import { terminalOf } from '../lib/terminal/prompt.ts';
import { createTrace } from '../lib/trace.ts';
import { uncommittedNote } from '../repository/committed-values.ts';
import { assertGenerated } from '../repository/generated/monitoring.ts';
import { type Command, checkFlags, contextOptions, type Invocation, lockFlags } from './command.ts';
import { lookAtCluster } from './session.ts';

export const upCommand: Command = {
  description: [
    'Creates the kind cluster and installs everything into it, side by side where possible: Argo CD, the ingress',
    'controller, the services, Prometheus and Grafana. It is done when every service answers and is scraped.',
    'Run it again at any time: what is as it should be stays untouched. No token is needed; without one, the',
    'services run as local stubs (npm run credentials). .env.example lists the settings. With TARGET_CONTEXT it',
    'installs into that existing cluster; the first time it asks whether that is the right one.',
  ].join('\n'),
  flags: {
    yes: {
      type: 'boolean',
      typedOnly: true,
      description: 'Do not ask whether the cluster of TARGET_CONTEXT is meant.',
    },
    'dry-run': { type: 'boolean', description: 'Only say what would be done, and change nothing.' },
    timeout: { type: 'seconds', description: 'How long a single step may take (default: 300).' },
    json: { type: 'boolean', description: 'Print the result as JSON on standard output.' },
    verbose: { type: 'boolean', description: 'Show every command that is run.' },
    trace: { type: 'text', value: 'file', description: 'Write a timeline to this file, which ui.perfetto.dev shows.' },
    ...checkFlags,
    ...lockFlags,
  },
  examples: [
    'npm run up',
    'npm run up -- --dry-run',
    'npm run up -- --timeout 600',
    'npm run up -- --trace up.json',
    'CLUSTER_NAME=second HTTP_PORT=9080 HTTPS_PORT=9443 npm run up',
  ],
  interrupted: 'npm run up goes on where it stopped; npm run down removes the platform.',
  run: runUp,
};

async function runUp(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, signal, progressStream } = invocation;
  if (flags['dry-run']) return previewUp(invocation);
  const started = performance.now();
  const progress = await createProgress(progressStream);
  const unlock = await lockCluster(invocation, 'up');
  const trace = typeof flags.trace === 'string' ? createTrace() : undefined;
  // Fetching ahead must not outlive the command, however it ends.
  const ended = new AbortController();
  const either = AbortSignal.any([signal, ended.signal]);
  setMaxListeners(0, either);
  const context = createContext(config, {
    ...contextOptions({ flags, signal: either }, progress.note),
    ...(trace && { trace }),
  });
  try {
    return await bringUp(invocation, context, progress, started);
  } finally {
    if (trace) progress.note(await writeTimeline(context, trace, `${flags.trace}`, started));
    progress.stop();
    ended.abort();
    unlock();
  }
}

async function bringUp(
  invocation: Invocation,
  context: Context,
  progress: Progress,
  started: number,
): Promise<ExitCode> {
  const { flags, print, progressStream, signal } = invocation;
  progress.start('preflight');
  await assertGenerated(context.config.root);
  // Asks GitHub, which can go on meanwhile; what comes of it is told below.
  context.credentials.search().catch(() => {});
  const { warnings, isThere } = await preflight(context);
  progress.done('preflight', secondsSince(started));
  for (const warning of warnings) progress.note(`! ${warning}`);
  await chooseAccount(context, isThere ? undefined : terminalToAsk(invocation), (text) => progress.note(text));

  if (context.target !== undefined) {
    const terminal = flags.json ? undefined : terminalOf(process.stdin, progressStream, signal);
    await confirmTarget(context, { terminal, yes: flags.yes === true, say: progress.note });
  }
  const isNew = !isThere && context.target === undefined;
  const { done, notes } = await executeInstall(context, { isNew, steps: componentsFor(context.config) }, progress);
  const seconds = secondsSince(started);
  const uncommitted = await uncommittedNote(context);
  for (const note of [...notes, ...uncommitted]) progress.note(`! ${note}`);
  progress.stop();
  const changed = done.flatMap((step) => step.changed);
  if (flags.json) print(JSON.stringify({ ready: true, seconds, changed, steps: timesOf(done, started) }, undefined, 2));
  else print(await upSummary(context, seconds, changed.length, criticalPathLine(done)));
  // The platform is up: whoever reads that need not wait for what the next cluster gains by.
  if (context.target === undefined) {
    for (const note of await keepImages(context, progress, { isNew })) progress.note(`! ${note}`);
  }
  return ExitCode.done;
}

/** When each step began and how long it took, in seconds since the command began. */
function timesOf(steps: readonly InstallStep[], started: number) {
  const critical = new Set(criticalPath(steps));
  const rounded = (milliseconds: number) => Math.round(milliseconds) / 1000;
  return steps.map((step) => ({
    name: step.name,
    begin: rounded(step.start - started),
    seconds: rounded(step.end - step.start),
    critical: critical.has(step),
    changed: step.changed,
  }));
}

/** Somebody at a terminal, where nothing says to use stand-ins. */
function terminalToAsk({ config, flags, signal, progressStream }: Invocation) {
  // Stand-ins, which the question offers, can't be had in a cluster elsewhere.
  if (flags.json || config.tokens.use === 'none' || config.target !== undefined) return undefined;
  return terminalOf(process.stdin, progressStream, signal);
}

function secondsSince(start: number): number {
  return Math.round(performance.now() - start) / 1000;
}

/**
 * Prints what `up` would do. Looks at this machine, at Docker and the cluster, and asks GitHub and its registry about the token.
 * Changes nothing, and leaves no file.
 * @param options `isNew` has it plan for a cluster that is to be deleted before.
 */
export async function previewUp(invocation: Invocation, { isNew = false } = {}): Promise<ExitCode> {
  const { config, flags, print } = invocation;
  const look = async (context: Context, progress: Progress) => {
    progress.start('looking');
    const preview = await lookAhead(context, isNew);
    progress.stop();
    const { clusterName } = config;
    print(
      flags.json
        ? JSON.stringify({ cluster: clusterName, ...preview }, undefined, 2)
        : previewLines(clusterName, preview).join('\n'),
    );
    return ExitCode.done;
  };
  return lookAtCluster(invocation, look, { offline: true });
}

async function lookAhead(context: Context, isToBeNew: boolean): Promise<UpPreview> {
  const problems: string[] = [];
  const notes: string[] = [];
  const sentence = (what: string, remedy: string | undefined) => [what, remedy].filter(Boolean).join('\n  → ');
  /** What would make `up` stop is a part of the answer. */
  const attempt = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.push(sentence(error.message, error.hint));
      return undefined;
    }
  };
  const findings = (await diagnose(context)).filter(({ level }) => level !== 'ok');
  // A tool that is missing is no problem: `up` downloads it.
  const downloads = findings.flatMap(({ id, level, check }) => (id === 'tools' && level === 'problem' ? [check] : []));
  const told = findings.filter(({ id }) => id !== 'tools');
  for (const { level, message, remedy } of told)
    (level === 'problem' ? problems : notes).push(sentence(message, remedy));
  let blocked = told.find(
    ({ id, check, level }) => level === 'problem' && (id === 'docker' || check === 'target'),
  )?.message;
  let isNew = isToBeNew;
  if (context.target !== undefined) {
    const fits =
      blocked === undefined ? await attempt(() => assertTargetFits(context, (line) => notes.push(line))) : undefined;
    if (fits && !fits.isKnown)
      notes.push('It asks first whether that cluster is meant, and creates the Namespace platform-ops in it.');
    if (!fits) blocked ??= problems.at(-1) ?? '';
  } else if (blocked === undefined) {
    const container = await nodeContainer(context);
    if (container && !isNew) {
      await attempt(async () => {
        await assertOwnContainer(context, container);
        await assertSeesCommits(context, container);
      });
      await attempt(async () => assertPorts(context, container));
      if (container.state === 'running' && !existsSync(context.kubeconfig)) await attempt(() => reach(context));
    }
    isNew ||= container === undefined;
    if (isNew && !(await hasImage(context.exec, context.config.nodeImage))) downloads.push(context.config.nodeImage);
  }
  await attempt(() => assertGenerated(context.config.root));
  const search = await attempt(() => context.credentials.search());
  notes.push(...(search?.notes ?? []));
  if (search)
    notes.push(
      search.account
        ? `Images are pulled with ${search.account.title}: ${describeAccount(search.account)}.`
        : 'There is no GitHub token: the services run as local stubs.',
    );
  const steps = await previewInstall(context, { isNew, steps: componentsFor(context.config) }, blocked);
  if (!isNew && context.target === undefined && steps.every(({ state }) => state !== 'unknown'))
    await attempt(() => assertNoForeignObjects(context));
  notes.push(...(await uncommittedNote(context)));
  return { isNew, steps, downloads, problems, notes };
}
