#!/usr/bin/env node
// Runs a command: `./platform.mjs up --json`, and the same for `npm run`. esbuild bundles scripts/ once for each state of the
// sources; tsx runs them where nothing can be written, or where a source has an error, which it then names.
// The syntax of this file is that of Node 12, so that any Node still in use can say that it is too old.
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import module from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

// As package.json says.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 12))
  refuse(
    `Node.js ${process.versions.node} (${process.execPath}) is too old: 20.12 or newer is needed.`,
    'Install a current one: https://nodejs.org/en/download, or nvm install --lts.',
  );

// As npm does: whatever a command starts is started there.
process.chdir(dirname(fileURLToPath(import.meta.url)));
// The processes of esbuild and tsx inherit process.env. config.ts takes the tokens from here.
const { GITHUB_TOKEN, GH_TOKEN } = process.env;
Object.defineProperty(globalThis, Symbol.for('platform-ops.tokens'), { value: { GITHUB_TOKEN, GH_TOKEN } });
for (const name of ['GITHUB_TOKEN', 'GH_TOKEN']) delete process.env[name];
// For us and all that we start: the usual folder for temporary files in place of one that is gone.
if (process.env.TMPDIR && !fs.existsSync(process.env.TMPDIR)) delete process.env.TMPDIR;

// By their contents: times are as coarse as the file system has them, and a checkout of another branch sets them.
const hash = createHash('sha256').update(process.cwd());
// The hidden ones tell what is installed, and are written by npm, pnpm and Yarn.
const installed = ['.package-lock.json', '.modules.yaml', '.yarn-integrity'].map((name) => `node_modules/${name}`);
const files = [...sourcesBelow('scripts').sort(), 'platform.mjs', 'tsconfig.json', ...installed.filter(fs.existsSync)];
for (const file of files) hash.update(`\0${file}\0`).update(fs.readFileSync(file));
const cache = 'node_modules/.cache/platform-ops';
const folder = `${cache}/${hash.digest('hex').slice(0, 20)}`;

load()
  .catch((error) => {
    // A package that is missing, or esbuild of another system; what a source lacks is named by its path.
    if (!/^Cannot find (package|module) '[^./]|esbuild for another platform|@esbuild\//.test(error.message))
      throw error;
    refuse(
      `The packages of this checkout are not installed, or not for this system: ${error.message.trim().split('\n')[0]}`,
      `Install them: cd "${process.cwd()}" && npm ci`,
    );
  })
  .then(({ main }) => main(folder));

/** The program, by way of the bundle where there can be one. */
async function load() {
  try {
    if (!fs.existsSync(folder)) await bundle();
    // From Node 22.8 on. What V8 compiled is kept, too.
    if (module.enableCompileCache) module.enableCompileCache(`${folder}/v8`);
    return await import(`./${folder}/cli.mjs`);
  } catch {
    (await import('tsx/esm/api')).register();
    return import('./scripts/cli.ts');
  }
}

/** Ends the process as a missing prerequisite does. */
function refuse(message, hint) {
  process.stderr.write(`\n✖ ${message}\n  → ${hint}\n`);
  process.exit(2);
}

/** Node's own `recursive` asks for the kind of each entry once more, which takes six times as long. */
function sourcesBelow(top) {
  return fs.readdirSync(top, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return sourcesBelow(`${top}/${entry.name}`);
    return /\.(ts|mjs|json)$/.test(entry.name) ? `${top}/${entry.name}` : [];
  });
}

/** Whole or not at all, also where several do so at once. After a week, no command loads parts of an earlier one any more. */
async function bundle() {
  const { build } = await import('esbuild');
  fs.mkdirSync(cache, { recursive: true });
  const aside = fs.mkdtempSync(`${cache}/new-`);
  try {
    await build({
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
    fs.renameSync(aside, folder);
  } catch (error) {
    fs.rmSync(aside, { recursive: true, force: true });
    if (!fs.existsSync(folder)) throw error;
  }
  for (const old of fs.readdirSync(cache).map((name) => `${cache}/${name}`)) {
    const known = fs.statSync(old, { throwIfNoEntry: false });
    if (known === undefined || Date.now() - known.mtimeMs > 7 * 24 * 3600000)
      fs.rmSync(old, { recursive: true, force: true });
  }
}
