import { join } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';
import { dashboardPath } from '../../repository/dashboards/files.ts';
import type { Comparison } from './compare.ts';

/** What pulling would change in a dashboard's file, as Git shows it; empty where nothing. */
export async function differenceOf(exec: Exec, root: string, { uid, here, there, state }: Comparison): Promise<string> {
  if (there === undefined || state === 'same') return '';
  const file = dashboardPath(uid);
  const before = here === undefined ? '/dev/null' : join(root, file);
  const compare = ['diff', '--no-index', '--no-color', '--no-ext-diff', '--', before, '-'] as const;
  // 1 says that there is a difference.
  const { stdout, stderr, exitCode } = await exec(['git', ...compare], {
    input: there,
    nothrow: true,
    timeout: 20_000,
  });
  if (exitCode > 1)
    throw new UserError(`git diff of ${file} failed: ${stderr.trim().split('\n').at(-1)}`, { hint: 'git status' });
  const hunks = stdout.slice(Math.max(stdout.search(/^@@/m), 0));
  return [`--- ${here === undefined ? '/dev/null' : file}`, `+++ ${uid} in Grafana`, hunks.trimEnd()].join('\n');
}
