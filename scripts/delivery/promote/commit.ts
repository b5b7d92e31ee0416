import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import type { Service } from '../../repository/service-files.ts';
import { type Git, literal, reasonOf } from './git.ts';

/** A values file as it is and as it shall be. */
export interface Edit {
  service: Service;
  before: string;
  after: string;
}

/** Writes the edits into the working tree. */
export async function writeEdits(root: string, edits: readonly Edit[]): Promise<void> {
  for (const { service, after } of edits) await writeFile(join(root, service.file), after);
}

/**
 * Writes the edits and commits these files alone. Hands back the commit. Where that fails, as by a hook, the files are
 * put back as they were, and a `UserError` says why. `afterwards` is a Git that an interruption does not end.
 */
export async function commitEdits(
  { git, afterwards, root }: { git: Git; afterwards: Git; root: string },
  edits: readonly Edit[],
  message: string,
): Promise<string> {
  const head = await git.read(['rev-parse', 'HEAD']);
  const files = edits.map(({ service }) => literal(service.file));
  try {
    await writeEdits(root, edits);
    // What the user's hooks, signature and configuration add to a commit belongs to this one, too. They get their time.
    const output = await git.attempt(['commit', '--quiet', '--only', '--message', message, '--', ...files], {
      timeout: 300_000,
    });
    if (output.exitCode !== 0)
      throw new UserError(`Nothing was committed, and everything is as it was; git commit says: ${reasonOf(output)}`, {
        hint: 'Correct what a hook found, or see to what Git asks for, and run the command again.',
      });
    return await git.read(['rev-parse', 'HEAD']);
  } catch (error) {
    if ((await afterwards.read(['rev-parse', 'HEAD'])) === head) await putBack(afterwards, root, edits);
    throw error;
  }
}

async function putBack(git: Git, root: string, edits: readonly Edit[]): Promise<void> {
  await git.attempt(['reset', '--quiet', '--', ...edits.map(({ service }) => literal(service.file))]);
  await writeEdits(
    root,
    edits.map(({ service, before }) => ({ service, before, after: before })),
  );
}
