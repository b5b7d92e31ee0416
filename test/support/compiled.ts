import { mkdtempSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { lastingFolder } from './fakes.ts';
import { root } from './helm.ts';

const folder = lastingFolder();
// Where the compiled programs look for packages.
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));

/**
 * Compiles a program, with all modules of ours that it imports, to a file of JavaScript. A process of that starts without
 * tsx, in a third of the time: for tests that need several. Imports are relative to the repository.
 */
export function compiled(program: string): string {
  const file = join(mkdtempSync(join(folder, 'program ')), 'program.mjs');
  buildSync({
    stdin: { contents: program, resolveDir: root, loader: 'ts' },
    outfile: file,
    bundle: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'esm',
  });
  return file;
}
