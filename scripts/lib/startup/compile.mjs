import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, transform } from 'esbuild';

/** The oldest that package.json allows, so that all versions of Node share what is made. */
const target = 'node20.12';
/** Milliseconds: the coarsest clock of a file system. What is younger may change once more without its stamp telling. */
const tooYoung = 2000;
/** Milliseconds for which files that nothing uses any more are kept: a command that runs may still load them. */
const keptFor = 7 * 24 * 3_600_000;

/**
 * Compiles the commands into a folder, and writes a list of what they were made of, so that the next start can tell whether it
 * still holds. Hands back the name of the program's file. Others may do the same at the same time: each file is
 * written aside and then renamed, and its name tells its content. Throws where it can't be done.
 */
export async function compile({ root, folder, list, stampOf }) {
  // Not their parents: without node_modules there is nothing to be done.
  for (const each of [resolve(folder, '..'), folder]) if (!statSync(each, { throwIfNoEntry: false })) mkdirSync(each);
  const write = (name, contents) => {
    const aside = `${folder}${randomUUID()}.new`;
    writeFileSync(aside, contents);
    const { ctimeMs } = statSync(aside);
    renameSync(aside, folder + name);
    return ctimeMs;
  };
  // By the clock that stamps files, which need not be that of this machine.
  const began = write('began', '');
  const { metafile, outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: ['scripts/cli.ts'],
    outdir: folder,
    entryNames: '[name]-[hash]',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // What is imported when it is needed stays a file of its own.
    splitting: true,
    platform: 'node',
    target,
    format: 'esm',
    // Those of Node, and none besides.
    conditions: [],
    // Packages in the CommonJS format ask for Node's modules by it.
    banner: { js: "const require = globalThis[Symbol.for('platform-ops.require')];" },
    sourcemap: 'linked',
    sourcesContent: false,
    plugins: [lazyPackages, addresses],
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  const outputs = outputFiles.map(({ path, contents }) => [basename(path), contents.length]);
  for (const [index, [name, size]] of outputs.entries())
    if (statSync(folder + name, { throwIfNoEntry: false })?.size !== size) write(name, outputFiles[index].contents);
  const program = outputs.map(([name]) => name).find((name) => /^cli-.*\.mjs$/.test(name));

  // package.json and tsconfig.json tell how to read the rest, and these files here how to make it.
  const settings = [
    'package.json',
    'tsconfig.json',
    'scripts/lib/startup/compiled.mjs',
    'scripts/lib/startup/compile.mjs',
  ];
  const files = new Set([...settings, ...Object.keys(metafile.inputs).map(watched)]);
  const inputs = [...files].map((file) => [file, stampOf(root + file)]);
  const isOld = ([file]) => statSync(root + file).ctimeMs < began - tooYoung;
  const before = listed(list);
  if (inputs.every(isOld)) write(relative(folder, list), JSON.stringify({ root, program, inputs, outputs }));
  tidy(folder, { used: new Set(outputs.map(([name]) => name)), before });
  return program;
}

/** By which file an edit is known: of a package, that is its package.json, which every installation writes. */
function watched(input) {
  return input.replace(/^(.*node_modules\/(@[^/]+\/)?[^/]+)\/.*$/, '$1/package.json');
}

/** Packages that are imported when they are needed are Node's to load: of CommonJS, esbuild would export nothing by name then. */
const lazyPackages = {
  name: 'lazy packages',
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ kind, path }) =>
      kind === 'dynamic-import' ? { path, external: true } : undefined,
    );
  },
};

/** Modules of ours that ask for their own address get that of the .ts file. */
const addresses = {
  name: 'addresses',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]scripts[\\/].*\.ts$/ }, async ({ path }) => {
      const contents = readFileSync(path, 'utf8');
      if (path.includes('node_modules') || !contents.includes('import.meta.')) return undefined;
      const define = {
        'import.meta.url': JSON.stringify(pathToFileURL(path).href),
        'import.meta.filename': JSON.stringify(path),
        'import.meta.dirname': JSON.stringify(resolve(path, '..')),
      };
      const { code } = await transform(contents, {
        define,
        loader: 'ts',
        target,
        sourcefile: path,
        sourcemap: 'inline',
        sourcesContent: false,
      });
      return { contents: code, loader: 'js' };
    });
  },
};

function listed(list) {
  try {
    return JSON.parse(readFileSync(list, 'utf8')).outputs.map(([name]) => name);
  } catch {
    return [];
  }
}

/** Removes what was left behind long ago, and notes of what is left behind now when that was. */
function tidy(folder, { used, before }) {
  const now = Date.now();
  for (const name of readdirSync(folder)) {
    if (used.has(name) || name === 'v8') continue;
    try {
      if (before.includes(name)) utimesSync(folder + name, now / 1000, now / 1000);
      else if (now - statSync(folder + name).mtimeMs > keptFor) rmSync(folder + name, { force: true });
    } catch {
      // Another start did it at the same time, or will.
    }
  }
}
