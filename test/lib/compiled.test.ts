// The program that starts make of the commands: made once, used while all is as it was, and never when it is not.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { temporaryFolder } from '../support/fakes.ts';
import { root } from '../support/helm.ts';

/** A small checkout: the launcher as it is, with commands of its own. Its files are old, as after a clone. */
async function checkout() {
  const top = join(await temporaryFolder(), 'a checkout');
  mkdirSync(join(top, 'scripts'), { recursive: true });
  for (const file of [
    'scripts/lib/startup/compiled.mjs',
    'scripts/lib/startup',
    'scripts/lib/startup/hide-tokens.mjs',
    'tsconfig.json',
  ])
    cpSync(join(root, file), join(top, file), { recursive: true });
  writeFileSync(join(top, 'package.json'), '{ "type": "module" }');
  mkdirSync(join(top, 'node_modules'));
  for (const name of readdirSync(join(root, 'node_modules')))
    if (name !== '.cache') symlinkSync(join(root, 'node_modules', name), join(top, 'node_modules', name));
  const write = (name: string, text: string) => writeFileSync(join(top, 'scripts', name), text);
  write('word.ts', "export const word: string = 'one';\n");
  write(
    'later.ts',
    "export const later: string = 'day';\nexport function fail(): never {\n  throw new Error('so');\n}\n",
  );
  write(
    'cli.ts',
    `import { stringify } from 'yaml';
import { word } from './word.ts';
const { later, fail } = await import('./later.ts');
if (process.argv[2] === 'fail') try { fail(); } catch (error) { console.log((error as Error).stack); }
const { Ajv } = await import('ajv');
console.log(stringify([word, later, import.meta.url, process.env.GITHUB_TOKEN ?? null, typeof Ajv]));
process.exit(0);
`,
  );
  const run = (...args: string[]) => {
    const preloads = ['./scripts/lib/startup/hide-tokens.mjs', './scripts/lib/startup/compiled.mjs', 'tsx'].flatMap(
      (one) => ['--import', one],
    );
    const env = { ...process.env, GITHUB_TOKEN: 'ghp_canary' };
    const child = spawn(process.execPath, [...preloads, 'scripts/cli.ts', ...args], { cwd: top, env });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said += data));
    return new Promise<string>((resolve) => child.on('close', () => resolve(said)));
  };
  const cache = join(top, 'node_modules/.cache/platform-ops');
  const list = () => readdirSync(cache).find((name) => name.endsWith('.json'));
  return { top, write, run, cache, list };
}

const grow = () => new Promise((resolve) => setTimeout(resolve, 2100));

describe('a compiled start', { concurrency: 2 }, () => {
  it('is made once files are old enough, and sees every edit at the next start', async () => {
    const { top, write, run, cache, list } = await checkout();
    const first = await run();
    assert.match(first, /- one\n- day\n/);
    // Its own address, no token, and what a CommonJS package exports by name.
    assert(first.includes(`${pathToFileURL(join(top, 'scripts/cli.ts'))}\n- null\n- function`), first);
    assert.equal(list(), undefined, 'files that are so young may change once more unseen');
    await grow();
    assert.equal(await run(), first);
    const made = join(cache, `${list()}`);
    const before = statSync(made).mtimeMs;
    assert.equal(await run(), first);
    assert.equal(statSync(made).mtimeMs, before, 'nothing was made anew');
    assert.match(await run('fail'), /at fail \(file:.*scripts\/later\.ts:3:9\)/);

    // As long as before, and with the times of before: by the clock alone nobody could tell.
    for (const [name, from, to] of [
      ['word.ts', 'one', 'two'],
      ['later.ts', 'day', 'age'],
    ] as const) {
      const file = join(top, 'scripts', name);
      const { atime, mtime } = statSync(file);
      writeFileSync(file, readFileSync(file, 'utf8').replace(from, to));
      utimesSync(file, atime, mtime);
      assert.match(await run(), new RegExp(`- ${to}\n`));
    }
    write('word.ts', 'export const word = ;\n');
    assert.match(await run(), /word\.ts:1:20/, 'tsx tells what is wrong');
    write('word.ts', "export const word = 'mended';\n");
    assert.match(await run(), /- mended\n- age\n/);
  });

  it('is made by several at the same time, and anew where the checkout was moved or something of it is gone', async () => {
    const { top, run, cache, list } = await checkout();
    await grow();
    const all = await Promise.all([run(), run(), run(), run()]);
    assert.deepEqual(new Set(all).size, 1, all.join('\n'));
    assert.deepEqual(
      readdirSync(cache).filter((name) => name.endsWith('.new')),
      [],
    );
    const { program } = JSON.parse(readFileSync(join(cache, `${list()}`), 'utf8')) as { program: string };
    writeFileSync(join(cache, program), '');
    assert.equal(await run(), all[0]);
    const moved = `${top} moved`;
    renameSync(top, moved);
    symlinkSync(moved, top);
    assert.match(await run(), /a%20checkout%20moved\/scripts\/cli\.ts/);
  });

  it('is left to tsx where nothing can be written', async () => {
    const { top, run } = await checkout();
    writeFileSync(join(top, 'node_modules/.cache'), 'in the way');
    assert.match(await run(), /- one\n- day\n/);
    rmSync(join(top, 'node_modules/.cache'));
  });

  it('holds no package that asks for its own place, which it would not have any more', async () => {
    const { compile } = (await import(join(root, 'scripts/lib/startup/compile.mjs'))) as {
      compile(options: object): Promise<string>;
    };
    const folder = `${await temporaryFolder()}/`;
    const stampOf = (file: string) => `${statSync(file).size}`;
    assert.match(await compile({ root: `${root}/`, folder, list: `${folder}list.json`, stampOf }), /^cli-\w+\.mjs$/);
    const asking = readdirSync(folder)
      .filter((name) => name.endsWith('.mjs'))
      .flatMap(
        (name) => readFileSync(join(folder, name), 'utf8').match(/.*(?:import\.meta|\b__(?:dir|file)name\b).*/g) ?? [],
      );
    // zx does so in Deno.
    assert.deepEqual(
      asking.filter((line) => !/^\s*globalThis\.(require|__filename|__dirname) = /.test(line)),
      [],
    );
  });
});
