import { appendFile } from 'node:fs/promises';
import type { Config } from '../../config/config.ts';
import type { Outcome } from './outcome.ts';

/** What the workflow gets, in GitHub's files for it ("Workflow commands", Setting an output parameter; Adding a job summary). */
export async function tellActions({ actions }: Config, outcome: Outcome): Promise<void> {
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
export async function tellActionsOfFailure({ actions }: Config, message: string, hint: string | undefined) {
  if (actions.summary === undefined) return;
  await appendFile(
    actions.summary,
    `### Not promoted\n\n${plain(message)}\n\n${hint === undefined ? '' : `${plain(hint)}\n`}`,
  );
}

function summaryOf({ changes, commit, pushed, subject, notes }: Outcome): string {
  const rows = changes.map(({ service, from, to }) => `| ${service} | \`${from}\` | \`${to}\` |\n`);
  const where = pushed === null ? 'not pushed' : `pushed to ${plain(pushed)}`;
  return [
    `### ${plain(subject)}\n\n`,
    ...(rows.length === 0
      ? ['Nothing changed.\n']
      : ['| service | before | now |\n', '|---|---|---|\n', ...rows, '\n', `Commit \`${commit}\`, ${where}.\n`]),
    ...notes.map((note) => `\n${plain(note)}\n`),
  ].join('');
}

/** Text that Markdown shows as it is: a hook's words or an author's name must not become a link or an image. */
function plain(text: string): string {
  return text.replace(/[\\`*_{}[\]<>()#|!]/g, '\\$&');
}
