// That a command starts with what it needs, and help with next to nothing: what is loaded is what a person waits for.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../support/fakes.ts';
import { root } from '../support/helm.ts';

const folder = await temporaryFolder();
let processes = 0;

/** Runs a program as `npm run` does, and hands back its exit code, what it said, and what was loaded for it. */
async function loadedBy(...program: string[]) {
  const file = join(folder, `${processes++}`);
  const preloads = ['tsx', './test/support/loaded-modules.mjs'];
  const args = [...preloads.flatMap((preload) => ['--import', preload]), ...program];
  const { code, said } = await new Promise<{ code: unknown; said: string }>((resolve) => {
    execFile(process.execPath, args, { cwd: root, env: { ...process.env, LOADED_MODULES: file } }, (error, ...texts) =>
      resolve({ code: error?.code ?? 0, said: texts.join('') }),
    );
  });
  const paths = readFileSync(file, 'utf8')
    .split('\n')
    .map((url) => (url.startsWith('file:') ? fileURLToPath(url) : url));
  const below = (part: string, name: RegExp) =>
    [...new Set(paths.flatMap((path) => name.exec(path.split(join(root, part)).at(1) ?? '')?.[0] ?? []))].sort();
  return {
    code,
    said,
    packages: below('node_modules/', /^(@[^/]+\/)?[^/]+/),
    scripts: below('scripts/', /.+/),
  };
}

/** What the list of commands and their names need. */
const describing = /^(cli\.ts|commands\/index\.ts|lib\/(errors|terminal\/(args|output))\.ts)$/;
/** The commands from their sources: of a bundle nobody could tell. */
const main = `(await import('./scripts/cli.ts')).main('/nowhere');`;
/** tsx, and the compiler that it calls. */
const compiler = ['esbuild', 'tsx'];

describe('what is loaded', { concurrency: 2 }, () => {
  for (const [what, argv, exitCode, says] of [
    ['the list of commands', ['--help'], 0, /^ {2}status +Show what runs/m],
    ['a command that does not exist', ['statsu'], 2, /unknown command 'statsu'\.\n.*Did you mean status\?/],
  ] as const) {
    it(`for ${what}: no command, and no package but commander`, async () => {
      const { code, said, packages, scripts } = await loadedBy('--input-type=module', '--eval', main, 'x', ...argv);
      assert.equal(code, exitCode, said);
      assert.match(said, says);
      assert.deepEqual(packages, ['commander', ...compiler]);
      assert(scripts.includes('commands/index.ts'), scripts.join('\n'));
      assert.deepEqual(
        scripts.filter((script) => !describing.test(script)),
        [],
      );
    });
  }

  it('for the commands that are called most: no package that they may do without', async () => {
    const commands = ['status', 'sync', 'up', 'diff'].map((name) => `import './scripts/commands/${name}.ts';`);
    const { code, said, packages } = await loadedBy('--input-type=module', '--eval', commands.join('\n'));
    assert.equal(code, 0, said);
    assert.deepEqual(packages, [...compiler, 'diff', 'dotenv', 'modern-tar', 'yaml'].sort());
  });
});
