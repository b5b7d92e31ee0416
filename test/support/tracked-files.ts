import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Every file that Git follows or would, by its path from the top folder. */
export function trackedFiles(): string[] {
  const list = ['-C', root, 'ls-files', '--cached', '--others', '--exclude-standard', '-z'];
  const { stdout, status } = spawnSync('git', list, { encoding: 'utf8' });
  if (status !== 0) throw new Error('git ls-files failed');
  return [...new Set(stdout.split('\0').filter(Boolean))].sort();
}

export function textOf(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}
