import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ImageValues, imageInValues } from '../../repository/image-values.ts';
import type { Service } from '../../repository/service-files.ts';
import type { Change } from './changes.ts';
import { type Git, literal } from './git.ts';
import { filesOf } from './replay.ts';

interface Place {
  git: Git;
  /** A Git that an interruption does not end. */
  afterwards: Git;
  root: string;
  /** Where the root lies below the top folder. */
  prefix: string;
}

/**
 * What `git revert` of a commit makes of a service's values file; the working tree is as before afterwards. Undefined
 * where the commit touched anything else, where Git can't take it back without a conflict, or where that would not lead
 * to the image that is wanted.
 */
export async function revertedText(
  { git, afterwards, root, prefix }: Place,
  service: Service,
  { commit }: Change,
  wanted: ImageValues,
): Promise<string | undefined> {
  const touched = await filesOf(git, commit);
  if (touched.some((file) => file !== `${prefix}${service.file}`)) return undefined;
  const path = join(root, service.file);
  const before = await readFile(path);
  try {
    const { exitCode } = await git.attempt(['revert', '--no-commit', commit]);
    if (exitCode !== 0) return undefined;
    const after = await readFile(path, 'utf8');
    const image = imageInValues(after);
    return image?.tag === wanted.tag && image.repository === wanted.repository ? after : undefined;
  } finally {
    await afterwards.attempt(['reset', '--quiet', '--', literal(service.file)]);
    await afterwards.attempt(['revert', '--quit']);
    await writeFile(path, before);
  }
}
