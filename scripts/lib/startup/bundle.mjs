import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

/** Milliseconds for which a bundle of other sources is kept: a command that runs may still load parts of it. */
const keptForMs = 7 * 24 * 3_600_000;

/**
 * Bundles the commands into a folder, whole or not at all, also where several do so at once.
 * @throws what esbuild throws for sources with an error, and the file system where nothing can be written.
 */
export async function bundle(root, folder) {
  const cache = dirname(folder);
  mkdirSync(cache, { recursive: true });
  const aside = mkdtempSync(join(cache, 'new-'));
  try {
    await build({
      absWorkingDir: root,
      entryPoints: ['scripts/cli.ts'],
      outdir: aside,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      // What is imported when it is needed stays a file of its own.
      splitting: true,
      platform: 'node',
      target: 'node20.12',
      format: 'esm',
      conditions: [],
      // CommonJS, imported when it is needed: esbuild would give it no names.
      external: ['ajv'],
      banner: {
        js: "import { createRequire as _require } from 'node:module'; const require = _require(import.meta.url);",
      },
      sourcemap: 'linked',
      sourcesContent: false,
      logLevel: 'silent',
    });
    renameSync(aside, folder);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  for (const each of readdirSync(cache).map((name) => join(cache, name)))
    if (Date.now() - (statSync(each, { throwIfNoEntry: false })?.mtimeMs ?? 0) > keptForMs)
      rmSync(each, { recursive: true, force: true });
}
