// Loaded before tsx. Runs the commands from JavaScript that an earlier start made of them: then neither tsx is started nor
// hundreds of modules are looked for, which was most of what a person waited for. What was made is looked for in
// node_modules/.cache, and is used only while every file that it was made of is as it was then. Where it can't be made,
// nothing happens here, and tsx goes on as if this file did not exist.
import { readFileSync, statSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { traceTo } from './traces.mjs';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = `${root}node_modules/.cache/platform-ops/`;
// A checkout of its own each, where several share one node_modules.
const list = `${folder}${root.replaceAll(/[^\w.-]+/g, '_').slice(-120)}.json`;

const program = current() ?? (await make());
if (program !== undefined) {
  // From Node 22.1 on: what V8 made of it is kept as well.
  module.enableCompileCache?.(`${folder}v8`);
  Object.defineProperty(globalThis, Symbol.for('platform-ops.require'), {
    value: module.createRequire(import.meta.url),
  });
  traceTo(folder);
  // The program ends the process itself: what stands behind this file on the command line is not reached.
  await import(pathToFileURL(folder + program).href);
}

/** The program, if it is what the files as they are now would make. */
function current() {
  try {
    const made = JSON.parse(readFileSync(list, 'utf8'));
    const isCurrent =
      made.root === root &&
      made.inputs.every(([file, stamp]) => stampOf(root + file) === stamp) &&
      made.outputs.every(([file, size]) => statSync(folder + file).size === size);
    return isCurrent ? made.program : undefined;
  } catch {
    // Never made, or something of it is gone.
    return undefined;
  }
}

/** Changes with every edit, also with one that sets the times of before: nobody can set ctime. Throws for a file that is gone. */
function stampOf(file) {
  const { size, mtimeMs, ctimeMs, ino } = statSync(file);
  return `${size} ${mtimeMs} ${ctimeMs} ${ino}`;
}

/** Makes it anew; nothing where it can't be made, as in a checkout that can't be written to, or of files with an error. */
async function make() {
  try {
    const { compile } = await import('./compile.mjs');
    return await compile({ root, folder, list, stampOf });
  } catch {
    // tsx says what is wrong.
    return undefined;
  }
}
