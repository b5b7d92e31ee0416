import { existsSync } from 'node:fs';
import { diagnose } from '../checks/doctor/preflight.ts';
import { reach } from '../cluster/cluster.ts';
import { withScratchState } from '../cluster/kubeconfig.ts';
import { assertOwnContainer, assertPorts } from '../cluster/node.ts';
import { assertNoForeignObjects, assertTargetFits } from '../components/confirm-target.ts';
import { componentsFor } from '../components/index.ts';
import { planInstall, previewInstall, type StepPreview } from '../components/install-plan.ts';
import { createContext } from '../context.ts';
import type { Context } from '../images/context.ts';
import { describeAccount } from '../images/credentials/credentials.ts';
import { nodeContainer } from '../kubernetes/explain/runtime.ts';
import { hasImage } from '../lib/docker/images.ts';
import { ExitCode, UserError } from '../lib/errors.ts';
import { createProgress } from '../lib/terminal/progress.ts';
import { counted } from '../lib/text.ts';
import { uncommittedNote } from '../repository/committed-values.ts';
import { contextOptions, type Invocation } from './command.ts';

/** What `up` would do, and what would keep it from that. */
interface UpPreview {
  isNew: boolean;
  steps: StepPreview[];
  /** What has to be downloaded besides images: tools, and the image of the node. */
  downloads: string[];
  /** Why it would stop before it changes anything. */
  problems: string[];
  notes: string[];
}

/**
 * Prints what `up` would do. Looks at this machine, at Docker and the cluster, and asks GitHub and its registry about the token.
 * Changes nothing, and leaves no file.
 * @param options `isNew` has it plan for a cluster that is to be deleted before.
 */
export async function previewUp(invocation: Invocation, options: { isNew?: boolean } = {}): Promise<ExitCode> {
  const { config, flags, print, progressStream } = invocation;
  const progress = await createProgress(progressStream);
  progress.start('looking');
  const preview = await withScratchState(config, (scratch) =>
    lookAhead(createContext(scratch, { ...contextOptions(invocation, progress.note), offline: true }), options),
  ).finally(progress.stop);
  const { clusterName } = config;
  print(
    flags.json
      ? JSON.stringify({ cluster: clusterName, ...preview }, undefined, 2)
      : previewPage(clusterName, preview).join('\n'),
  );
  return ExitCode.done;
}

async function lookAhead(context: Context, options: { isNew?: boolean }): Promise<UpPreview> {
  const problems: string[] = [];
  const notes: string[] = [];
  /** What would make `up` stop is a part of the answer. */
  const attempt = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.push([error.message, error.hint].filter(Boolean).join('\n  → '));
      return undefined;
    }
  };
  const findings = await diagnose(context);
  // A tool that is missing is no problem: `up` downloads it.
  const downloads = findings.flatMap(({ id, level, check }) => (id === 'tools' && level === 'problem' ? [check] : []));
  const told = findings.filter(({ id, level }) => level !== 'ok' && id !== 'tools');
  for (const { level, message, remedy } of told)
    (level === 'problem' ? problems : notes).push([message, remedy].filter(Boolean).join('\n  → '));
  let blocked = told.find(
    ({ id, check, level }) => level === 'problem' && (id === 'docker' || check === 'target'),
  )?.message;
  let isNew = options.isNew ?? false;
  if (context.target !== undefined) {
    const fits =
      blocked === undefined ? await attempt(() => assertTargetFits(context, (line) => notes.push(line))) : undefined;
    if (fits && !fits.isKnown)
      notes.push('It asks first whether that cluster is meant, and creates the Namespace platform-ops in it.');
    if (!fits) blocked ??= problems.at(-1) ?? '';
  } else if (blocked === undefined) {
    const container = await nodeContainer(context);
    if (container && !isNew) {
      await attempt(() => assertOwnContainer(context, container));
      await attempt(async () => assertPorts(context, container));
      if (container.state === 'running' && !existsSync(context.kubeconfig)) await attempt(() => reach(context));
    }
    isNew ||= container === undefined;
    if (isNew && !(await hasImage(context.exec, context.config.nodeImage))) downloads.push(context.config.nodeImage);
  }
  const search = await attempt(() => context.credentials.search());
  notes.push(...(search?.notes ?? []));
  if (search)
    notes.push(
      search.account
        ? `Images are pulled with ${search.account.title}: ${describeAccount(search.account)}.`
        : 'There is no GitHub token: the services run as local stubs.',
    );
  const components = componentsFor(context.config);
  const steps = await previewInstall(context, planInstall(components, { isNew }), components, blocked);
  if (!isNew && context.target === undefined && steps.every(({ state }) => state !== 'unknown'))
    await attempt(() => assertNoForeignObjects(context, components));
  notes.push(...(await uncommittedNote(context)));
  return { isNew, steps, downloads, problems, notes };
}

function previewPage(cluster: string, { isNew, steps, downloads, problems, notes }: UpPreview): string[] {
  const isKnown = steps.every(({ state }) => state !== 'unknown');
  const title = isNew
    ? `npm run up would create the cluster ${cluster}, and install into it:`
    : steps.every(({ state }) => state === 'done')
      ? `npm run up would change nothing in the cluster ${cluster}:`
      : isKnown
        ? `npm run up would work on the cluster ${cluster}:`
        : `npm run up would see to these in the cluster ${cluster}, as far as can be told:`;
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
