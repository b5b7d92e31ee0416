import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../lib/errors.ts';
import type { Exec } from '../lib/exec.ts';
import { type Checkout, readCheckout } from '../lib/git/checkout.ts';
import { gitIn, readPaths } from '../lib/git/run.ts';

/** What commands read from the working tree. */
const folders = ['argocd', 'cluster', 'helm', 'ingress', 'observability', 'standins'];

/**
 * Reads the checkout around `root`, and makes sure that Git put into the working tree what commands read there.
 *
 * @throws UsageError where there is none that can be used.
 */
export async function readWorkingTree(exec: Exec, root: string): Promise<Checkout> {
  const checkout = await readCheckout(exec, root);
  const entries = await readPaths(gitIn(exec, root, 'reading'), ['ls-files', '-t', '--stage', '-z', '--', ...folders]);
  for (const entry of entries) {
    const [, tag, mode, path = ''] = /^(\S) (\d+) [^\t]*\t(.*)$/s.exec(entry) ?? [];
    const found = lstatSync(join(root, path), { throwIfNoEntry: false });
    if (tag === 'S' && found === undefined) {
      throw new UsageError(`This sparse checkout lacks ${path}, and commands read it from the working tree.`, {
        id: 'clone-unfit',
        hint: 'git sparse-checkout disable',
      });
    }
    if (mode === '120000' && found?.isFile()) {
      throw new UsageError(`Git checked out the symbolic link ${path} as a file (core.symlinks is false).`, {
        id: 'clone-unfit',
        hint: `git config core.symlinks true && rm "${path}" && git checkout -- "${path}", for each such link; on Windows, clone within WSL.`,
      });
    }
  }
  return checkout;
}
