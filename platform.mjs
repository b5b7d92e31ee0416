#!/usr/bin/env node
// Runs a command: `./platform.mjs up --json`, and the same for `npm run`. esbuild bundles scripts/ once for each state of the
// sources; tsx runs them where nothing can be written, or where a source has an error, which it then names.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url)).slice(0, -1);

// The processes of esbuild and tsx inherit process.env. config.ts takes the tokens from here.
const tokens = {};
for (const name of ['GITHUB_TOKEN', 'GH_TOKEN']) {
  if (process.env[name] !== undefined) tokens[name] = process.env[name];
  delete process.env[name];
}
Object.defineProperty(globalThis, Symbol.for('platform-ops.tokens'), { value: tokens });

const folder = `${root}/node_modules/.cache/platform-ops/${hashOfSources()}`;
const { main } = await import(await entryPoint());
await main(root, folder);

/** By their contents: times are as coarse as the file system has them, and a checkout of another branch sets them. */
function hashOfSources() {
  const hash = createHash('sha256').update(root);
  const add = (file) => hash.update(`\0${file}\0`).update(readFileSync(`${root}/${file}`));
  for (const file of sourcesBelow('scripts').sort()) add(file);
  // The hidden ones tell what is installed, and are written by npm, pnpm and Yarn.
  const installed = ['.package-lock.json', '.modules.yaml', '.yarn-integrity'].map((name) => `node_modules/${name}`);
  for (const file of ['platform.mjs', 'tsconfig.json', ...installed]) if (existsSync(`${root}/${file}`)) add(file);
  return hash.digest('hex').slice(0, 20);
}

/** Node's own `recursive` asks for the kind of each entry once more, which takes six times as long. */
function sourcesBelow(folder) {
  return readdirSync(`${root}/${folder}`, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return sourcesBelow(`${folder}/${entry.name}`);
    return /\.(ts|mjs|json)$/.test(entry.name) ? `${folder}/${entry.name}` : [];
  });
}

async function entryPoint() {
  const bundle = `${folder}/cli.mjs`;
  try {
    if (!existsSync(bundle)) await (await import('./scripts/lib/startup/bundle.mjs')).bundle(root, folder);
    // From Node 22.8 on. What V8 compiled is kept, too.
    module.enableCompileCache?.(`${folder}/v8`);
    return pathToFileURL(bundle).href;
  } catch {
    (await import('tsx/esm/api')).register();
    return './scripts/cli.ts';
  }
}
