import { shortSha } from '../../lib/git/checkout.ts';
import type { Receipt } from '../sync/index.ts';

/** What a command of the kind did, as `--json` prints it. */
export interface Outcome {
  /** One entry for each service whose file was edited. */
  changes: { service: string; file: string; from: string; to: string }[];
  /** The message's first line. */
  subject: string;
  /** The commit that holds it, after a push the one that is there; none with --no-commit. */
  commit: string | null;
  /** As in `origin/main`. */
  pushed: string | null;
  receipts: Receipt[];
  /** What else a person should know, a sentence each. */
  notes: string[];
}

/** What was edited, committed and pushed, for a person. */
export function landedLines({ changes, subject, commit, pushed }: Omit<Outcome, 'receipts'>): string[] {
  const moves = changes.map(({ service, from, to }) =>
    from === to ? `${service}: stays at ${from}` : `${service}: ${from} → ${to}`,
  );
  if (commit === null) return moves;
  const short = shortSha(commit);
  if (changes.length === 0) return [`Pushed to ${pushed}, which is at ${short} now.`];
  return [...moves, `Committed as ${short}: ${subject}`, ...(pushed === null ? [] : [`Pushed to ${pushed}.`])];
}
