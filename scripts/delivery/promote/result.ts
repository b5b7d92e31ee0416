import { appendFile } from 'node:fs/promises';
import type { Config } from '../../config/config.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { imageInValues } from '../../repository/image-values.ts';
import type { RolloutReport } from '../sync/report.ts';
import type { LandingResult } from './land.ts';
import type { DeliveryPlan } from './plan.ts';
import type { Workspace } from './workspace.ts';

/** What a command of the kind did, as `--json` prints it. */
export interface DeliveryResult {
  /** One entry for each service whose file was edited. */
  changes: { service: string; file: string; from: string; to: string }[];
  /** The message's first line. */
  subject: string;
  /** The commit that holds it, after a push the one that is there; none with --no-commit. */
  commit: string | null;
  /** As in `origin/main`. */
  pushed: string | null;
  receipts: RolloutReport[];
  /** What else a person should know, a sentence each. */
  notes: string[];
}

/** A plan, as --dry-run prints it: `branch`, and `onto`, the commit that it is at, are null with --no-commit. */
export function describePlan({ branch, head, upstream, commitOptions }: Workspace, plan: DeliveryPlan) {
  const { commit } = commitOptions;
  return {
    changes: changesOf(plan),
    subject: subjectOf(plan),
    branch: (commit && branch) || null,
    onto: commit ? head : null,
    push: upstream?.name ?? null,
    notes: plan.edits.length > 0 ? plan.notes : [plan.unchanged.replace(' Nothing was changed.', '')],
  };
}

export function plannedLines({
  changes,
  subject,
  branch,
  onto,
  push,
  notes,
}: ReturnType<typeof describePlan>): string[] {
  const commits = changes.length > 0 && onto !== null;
  return [
    ...(changes.length > 0 ? changeLines(changes) : ['Nothing would change.']),
    ...(commits ? [`Would be committed to ${branch}, on top of ${shortSha(onto)}: ${subject}`] : []),
    ...(commits && push !== null ? [`Would be pushed to ${push}.`] : []),
    ...notes,
  ];
}

/** What became of a plan. */
export function resultOf(
  plan: DeliveryPlan,
  { commit, pushed, notes }: LandingResult,
  more: readonly string[],
): DeliveryResult {
  const all = [...plan.notes, ...notes, ...more];
  return { changes: changesOf(plan), subject: subjectOf(plan), commit, pushed, receipts: [], notes: all };
}

function changesOf({ edits }: DeliveryPlan): DeliveryResult['changes'] {
  const tagIn = (text: string) => imageInValues(text)?.tag ?? '';
  return edits.map(({ service: { name, file }, before, after }) => {
    return { service: name, file, from: tagIn(before), to: tagIn(after) };
  });
}

function subjectOf({ message }: DeliveryPlan): string {
  return message.split('\n')[0] ?? '';
}

/** What was edited, committed and pushed. */
export function resultLines(
  { changes, subject, commit, pushed }: DeliveryResult,
  { unchanged }: DeliveryPlan,
): string[] {
  const moves = changes.length === 0 ? [unchanged] : changeLines(changes);
  if (commit === null) return moves;
  const short = shortSha(commit);
  if (changes.length === 0) return [...moves, `Pushed to ${pushed}, which is at ${short} now.`];
  return [...moves, `Committed as ${short}: ${subject}`, ...(pushed === null ? [] : [`Pushed to ${pushed}.`])];
}

function changeLines(changes: DeliveryResult['changes']): string[] {
  return changes.map(({ service, from, to }) =>
    from === to ? `${service}: stays at ${from}` : `${service}: ${from} → ${to}`,
  );
}

/** What the workflow gets, in GitHub's files for it ("Workflow commands", Setting an output parameter; Adding a job summary). */
export async function reportToActions({ actions }: Config, outcome: DeliveryResult): Promise<void> {
  const { changes, commit, pushed } = outcome;
  const outputs = {
    changed: String(changes.length > 0),
    services: changes.map(({ service }) => service).join(' '),
    commit: commit ?? '',
    pushed: String(pushed !== null),
  };
  const lines = Object.entries(outputs).map(([name, value]) => `${name}=${value}\n`);
  if (actions.output !== undefined) await appendFile(actions.output, lines.join(''));
  if (actions.summary !== undefined) await appendFile(actions.summary, summaryOf(outcome));
}

/** Why it failed, for the page of the run. */
export async function reportFailureToActions({ actions }: Config, message: string, hint: string | undefined) {
  if (actions.summary === undefined) return;
  await appendFile(
    actions.summary,
    `### Not promoted\n\n${escapeMarkdown(message)}\n\n${hint === undefined ? '' : `${escapeMarkdown(hint)}\n`}`,
  );
}

function summaryOf({ changes, commit, pushed, subject, notes }: DeliveryResult): string {
  const rows = changes.map(({ service, from, to }) => `| ${service} | \`${from}\` | \`${to}\` |\n`);
  const where = pushed === null ? 'not pushed' : `pushed to ${escapeMarkdown(pushed)}`;
  return [
    `### ${escapeMarkdown(subject)}\n\n`,
    ...(rows.length === 0
      ? ['Nothing changed.\n']
      : ['| service | before | now |\n', '|---|---|---|\n', ...rows, '\n', `Commit \`${commit}\`, ${where}.\n`]),
    ...notes.map((note) => `\n${escapeMarkdown(note)}\n`),
  ].join('');
}

/** Text that Markdown shows as it is: a hook's words or an author's name must not become a link or an image. */
function escapeMarkdown(text: string): string {
  return text.replace(/[\\`*_{}[\]<>()#|!]/g, '\\$&');
}
