#!/usr/bin/env node
// Runs a command: `./platform.mjs up --json`, and the same for `npm run`. esbuild bundles scripts/ once for each state of the
// sources; tsx runs them where nothing can be written, or where a source has an error, which it then names.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import module from 'node:module';

// As npm does: whatever a command starts is started there.
process.chdir(import.meta.dirname);
// The processes of esbuild and tsx inherit process.env. config.ts takes the tokens from here.
const { GITHUB_TOKEN, GH_TOKEN } = process.env;
Object.defineProperty(globalThis, Symbol.for('platform-ops.tokens'), { value: { GITHUB_TOKEN, GH_TOKEN } });
for (const name of ['GITHUB_TOKEN', 'GH_TOKEN']) delete process.env[name];

// By their contents: times are as coarse as the file system has them, and a checkout of another branch sets them.
const hash = createHash('sha256').update(import.meta.dirname);
// The hidden ones tell what is installed, and are written by npm, pnpm and Yarn.
const installed = ['.package-lock.json', '.modules.yaml', '.yarn-integrity'].map((name) => `node_modules/${name}`);
const files = [...sourcesBelow('scripts').sort(), 'platform.mjs', 'tsconfig.json', ...installed.filter(existsSync)];
for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(file));
const cache = 'node_modules/.cache/platform-ops';
const folder = `${cache}/${hash.digest('hex').slice(0, 20)}`;

let program = `./${folder}/cli.mjs`;
try {
  if (!existsSync(folder)) await bundle();
  // From Node 22.8 on. What V8 compiled is kept, too.
  module.enableCompileCache?.(`${folder}/v8`);
} catch {
  (await import('tsx/esm/api')).register();
  program = './scripts/cli.ts';
}
const { main } = await import(program);
await main(folder);

/** Node's own `recursive` asks for the kind of each entry once more, which takes six times as long. */
function sourcesBelow(top) {
  return readdirSync(top, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return sourcesBelow(`${top}/${entry.name}`);
    return /\.(ts|mjs|json)$/.test(entry.name) ? `${top}/${entry.name}` : [];
  });
}

/** Whole or not at all, also where several do so at once. After a week, no command loads parts of an earlier one any more. */
async function bundle() {
  mkdirSync(cache, { recursive: true });
  const aside = mkdtempSync(`${cache}/new-`);
  try {
    await (await import('esbuild')).build({
      entryPoints: ['scripts/cli.ts'],
      outdir: aside,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      // What is imported when it is needed stays a file of its own.
      splitting: true,
      platform: 'node',
      target: 'node20.12',
      format: 'esm',
      // CommonJS, imported when it is needed: esbuild would give it no names.
      external: ['ajv'],
      banner: {
        js: "import { createRequire as _require } from 'node:module'; const require = _require(import.meta.url);",
      },
      sourcemap: true,
      sourcesContent: false,
      logLevel: 'silent',
    });
    renameSync(aside, folder);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  for (const old of readdirSync(cache).map((name) => `${cache}/${name}`))
    if (Date.now() - (statSync(old, { throwIfNoEntry: false })?.mtimeMs ?? 0) > 7 * 24 * 3_600_000)
      rmSync(old, { recursive: true, force: true });
}
