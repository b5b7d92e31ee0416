// platform.mjs: from any folder, by any name, of any state of the sources, and without showing a token.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, it } from 'node:test';
import { transform } from 'esbuild';
import { temporaryFolder } from '../support/fakes.ts';
import { root } from '../support/helm.ts';

/** A small checkout: the start as it is, with a program of its own. */
async function checkout() {
  const top = join(await temporaryFolder(), 'a checkout');
  mkdirSync(join(top, 'scripts'), { recursive: true });
  for (const file of ['platform.mjs', 'tsconfig.json']) cpSync(join(root, file), join(top, file));
  writeFileSync(join(top, 'package.json'), '{ "type": "module" }');
  linkPackages(top);
  const write = (name: string, text: string) => writeFileSync(join(top, 'scripts', name), text);
  write('word.ts', "export const word: string = 'one';\n");
  write('later.ts', "export const later: string = 'day';\n");
  write(
    'cli.ts',
    `import { stringify } from 'yaml';
import { word } from './word.ts';
export async function main(cache: string): Promise<never> {
  const { later } = await import('./later.ts');
  const { Ajv } = await import('ajv');
  const tokens = Reflect.get(globalThis, Symbol.for('platform-ops.tokens'));
  console.log(stringify([word, later, process.cwd(), process.env.GITHUB_TOKEN ?? null, tokens.GITHUB_TOKEN, typeof Ajv, process.argv.slice(2)]));
  process.exit(0);
}
`,
  );
  const run = (...args: string[]) => start(process.execPath, [join(top, 'platform.mjs'), ...args]);
  const cache = join(top, 'node_modules/.cache/platform-ops');
  const bundles = () => readdirSync(cache).sort();
  return { top, write, run, cache, bundles };
}

/** The packages, without the bundles. */
function linkPackages(top: string, without = '') {
  mkdirSync(join(top, 'node_modules'));
  for (const name of readdirSync(join(root, 'node_modules')))
    if (!['.cache', without].includes(name))
      symlinkSync(join(root, 'node_modules', name), join(top, 'node_modules', name));
}

function start(program: string, args: string[], { cwd = '/', env = {} }: { cwd?: string; env?: object } = {}) {
  const child = spawn(program, args, { cwd, env: { ...process.env, GITHUB_TOKEN: 'ghp_canary', ...env } });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said += data));
  return new Promise<string>((resolve) => child.on('close', () => resolve(said)));
}

describe('a start', { concurrency: 2 }, () => {
  it('is bundled once, and sees every edit at the next start', async () => {
    const { top, write, run, bundles } = await checkout();
    const first = await run();
    assert.match(first, /^- one\n- day\n/);
    // Where it is, no token for children but one for the settings, and what a CommonJS package exports by name.
    assert(first.includes(`- ${top}\n- null\n- ghp_canary\n- function\n`), first);
    const [made = assert.fail()] = bundles();
    assert.equal(await run(), first);
    assert.deepEqual(bundles(), [made], 'nothing was bundled again');

    // As long as before, and with the times of before: by these alone nobody could tell.
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
    write('word.ts', "export const word: string = 'mended';\n");
    assert.match(await run(), /- mended\n- age\n/);
  });

  it('is bundled by several at the same time, and what nobody started for a week goes', async () => {
    const { run, cache, bundles, write } = await checkout();
    const all = await Promise.all([run(), run(), run(), run()]);
    assert.equal(new Set(all).size, 1, all.join('\n'));
    const [old = assert.fail(), ...more] = bundles();
    assert.deepEqual(more, []);
    const longAgo = Date.now() / 1000 - 8 * 24 * 3600;
    utimesSync(join(cache, old), longAgo, longAgo);
    assert.equal(await run(), all[0]);
    write('word.ts', "export const word: string = 'new';\n");
    assert.match(await run(), /- new\n/);
    assert(!bundles().includes(old) && bundles().length === 1, bundles().join());
  });

  it('works by a link on the PATH, from any folder, with flags behind it', async () => {
    const { top } = await checkout();
    const bin = await temporaryFolder();
    symlinkSync(join(top, 'platform.mjs'), join(bin, 'platform'));
    const env = { PATH: `${bin}${delimiter}${process.env.PATH}` };
    const said = await start('platform', ['up', '--json'], { cwd: bin, env });
    assert.match(said, /- one\n/);
    assert.match(said, /- - up\n {2}- --json\n/);
    assert.match(await start('sh', ['-c', './platform.mjs status'], { cwd: top }), /- - status\n/);
  });

  it('uses the usual temporary folder where that of the environment is gone', async () => {
    const { top, write } = await checkout();
    write('cli.ts', 'export const main = () => console.log(process.env.TMPDIR);');
    const run = (TMPDIR: string) => start(process.execPath, [join(top, 'platform.mjs')], { env: { TMPDIR } });
    assert.equal(await run(join(top, 'gone')), 'undefined\n');
    assert.equal(await run(top), `${top}\n`);
  });

  it('is left to tsx where nothing can be written', async () => {
    const { top, run } = await checkout();
    writeFileSync(join(top, 'node_modules/.cache'), 'in the way');
    assert.match(await run(), /- one\n- day\n/);
    rmSync(join(top, 'node_modules/.cache'));
  });

  it('says where the packages are not installed, or not all', async () => {
    const { top, run, write } = await checkout();
    const refused = async (what: string, without: string) => {
      rmSync(join(top, 'node_modules'), { recursive: true });
      linkPackages(top, without);
      const said = await run();
      assert.match(
        said,
        new RegExp(
          `^\n✖ The packages of this checkout [^\n]*${what}[^\n]*\n  → Install them: cd "${top}" && npm ci\n$`,
        ),
      );
    };
    await refused("package 'yaml'", 'yaml');
    write('cli.ts', "export { default } from 'nothing';");
    await refused("package 'nothing'", '');
    rmSync(join(top, 'node_modules'), { recursive: true });
    assert.match(await run(), /^\n✖ The packages of this checkout are not installed/);
    assert(!existsSync(join(top, 'node_modules')));
  });

  it('says where Node.js is too old, also one that knows only its syntax', async () => {
    const { top } = await checkout();
    const older = (version: string) =>
      `data:text/javascript,Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
    for (const version of ['12.22.12', '18.20.8', '20.11.1']) {
      const said = await start(process.execPath, ['--import', older(version), join(top, 'platform.mjs'), 'up']);
      assert.match(said, new RegExp(`^\n✖ Node.js ${version} [^\n]*\n  → [^\n]*\n$`));
    }
    assert.match(await start(process.execPath, ['--import', older('20.12.0'), join(top, 'platform.mjs')]), /- one\n/);
    // What an older parser does not know would be written in another way for it.
    const text = readFileSync(join(root, 'platform.mjs'), 'utf8');
    const [old, current] = await Promise.all(['node12.22', 'esnext'].map((target) => transform(text, { target })));
    assert.equal(old?.code, current?.code);
  });
});

it('a bug is told with the lines of the sources', async () => {
  const clone = join(await temporaryFolder(), 'clone');
  cpSync(root, clone, { recursive: true, filter: (from) => !/\/(node_modules|\.git|test|\.state)(\/|$)/.test(from) });
  linkPackages(clone);
  const file = join(clone, 'scripts/config/config.ts');
  const [before = '', after = ''] = readFileSync(file, 'utf8').split('  const fromFile = ');
  writeFileSync(file, `${before}  throw new RangeError('planted');\n  const fromFile = ${after}`);
  const said = await start(process.execPath, [join(clone, 'platform.mjs'), 'passwords']);
  const place = `scripts/config/config\\.ts:${before.split('\n').length}:9`;
  assert.match(
    said,
    new RegExp(`This is a bug in platform-ops[^]*RangeError: planted\\n +at loadConfig \\(${place}\\)`),
  );

  // No bundled package asks for its own place, which it would not have any more.
  const [made = assert.fail()] = readdirSync(join(clone, 'node_modules/.cache/platform-ops'));
  const folder = join(clone, 'node_modules/.cache/platform-ops', made);
  const asking = readdirSync(folder)
    .filter((name) => name.endsWith('.mjs'))
    .flatMap(
      (name) => readFileSync(join(folder, name), 'utf8').match(/.*(?:import\.meta|\b__(?:dir|file)name\b).*/g) ?? [],
    );
  // zx does so in Deno, commander in comments; the last is our own, for what packages require.
  assert.deepEqual(
    asking.filter(
      (line) => !/^\s*globalThis\.(require|__filename|__dirname) = |^ +\* |^import \{ createRequire/.test(line),
    ),
    [],
  );
});
