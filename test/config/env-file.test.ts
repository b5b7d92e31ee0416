import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../scripts/config/config.ts';
import { saveSettings } from '../../scripts/config/dotenv.ts';
import { compiled } from '../support/compiled.ts';
import { placeDevice, refusal, temporaryFolder } from '../support/fakes.ts';
import { commit, copies, git, gitExec, write } from '../support/repository.ts';

const folder = await temporaryFolder();
const example = '# All settings.\n#CLUSTER_NAME=kind-cluster-1\n\n# A token.\n#GITHUB_TOKEN=\n#GHCR_CREDENTIALS=auto\n';

const start = copies((root) => {
  commit(root, 'Start', { '.env.example': example, '.gitignore': '.env\n.env.*\n!.env.example\n' });
});

/** A repository that ignores `.env`, as this one does, with that `.env` or none. */
function checkout(env?: string, gitignore?: string): string {
  const root = start(mkdtempSync(join(folder, 'checkout ')));
  if (gitignore !== undefined) commit(root, 'Ignore something else', { '.gitignore': gitignore });
  if (env !== undefined) write(root, '.env', env);
  return root;
}
const read = (root: string) => readFileSync(join(root, '.env'), 'utf8');
const modeOf = (root: string) => statSync(join(root, '.env')).mode & 0o777;
const names = (root: string) =>
  readdirSync(root)
    .filter((name) => name.startsWith('.env'))
    .sort();

test('a missing file is made from the example, with the token on its line', async () => {
  const root = checkout();
  await saveSettings(gitExec, root, { GITHUB_TOKEN: 'ghp_new' });
  assert.equal(read(root), example.replace('#GITHUB_TOKEN=', 'GITHUB_TOKEN=ghp_new'));
  assert.deepEqual(names(root), ['.env', '.env.example']);
});

for (const [name, before, after] of [
  ['replaced', '# mine\nGITHUB_TOKEN=old\nHTTP_PORT=9\n', '# mine\nGITHUB_TOKEN=ghp_new\nHTTP_PORT=9\n'],
  ['replaced where it was exported', 'export GITHUB_TOKEN = "old"\n', 'GITHUB_TOKEN=ghp_new\n'],
  ['put in place of the example', '#GITHUB_TOKEN=\nHTTP_PORT=9\n', 'GITHUB_TOKEN=ghp_new\nHTTP_PORT=9\n'],
  ['put last where there is no line for it', 'HTTP_PORT=9', 'HTTP_PORT=9\nGITHUB_TOKEN=ghp_new\n'],
  ['put into a file of Windows', 'HTTP_PORT=9\r\n#GITHUB_TOKEN=\r\n', 'HTTP_PORT=9\r\nGITHUB_TOKEN=ghp_new\r\n'],
  ['put into an empty file', '', 'GITHUB_TOKEN=ghp_new\n'],
] as const) {
  test(`the token is ${name}, and every other line stays`, async () => {
    const root = checkout(before);
    await saveSettings(gitExec, root, { GITHUB_TOKEN: 'ghp_new' });
    assert.equal(read(root), after);
  });
}

test('it can be taken out again, and none can be chosen', async () => {
  const root = checkout('A=1\nGITHUB_TOKEN=old\n#GHCR_CREDENTIALS=auto\nB=2\n');
  await saveSettings(gitExec, root, { GITHUB_TOKEN: undefined, GHCR_CREDENTIALS: 'none' });
  assert.equal(read(root), 'A=1\n#GITHUB_TOKEN=\nGHCR_CREDENTIALS=none\nB=2\n');
  await saveSettings(gitExec, root, { GHCR_CREDENTIALS: undefined });
  assert.equal(read(root), 'A=1\n#GITHUB_TOKEN=\n#GHCR_CREDENTIALS=\nB=2\n');
});

for (const mask of [0o000, 0o077]) {
  test(`it is readable by its owner alone under umask ${mask.toString(8).padStart(3, '0')}`, async () => {
    const made = checkout();
    const opened = checkout('GITHUB_TOKEN=old\n');
    chmodSync(join(opened, '.env'), 0o644);
    const before = process.umask(mask);
    try {
      for (const root of [made, opened]) await saveSettings(gitExec, root, { GITHUB_TOKEN: 'ghp_new' });
    } finally {
      process.umask(before);
    }
    assert.deepEqual([modeOf(made), modeOf(opened)], [0o600, 0o600]);
  });
}

test('a link stays a link to the same file', async () => {
  const root = checkout();
  const elsewhere = join(mkdtempSync(join(folder, 'elsewhere ')), 'settings');
  writeFileSync(elsewhere, 'HTTP_PORT=9\n');
  symlinkSync(elsewhere, join(root, '.env'));
  await saveSettings(gitExec, root, { GITHUB_TOKEN: 'ghp_new' });
  assert.equal(readFileSync(elsewhere, 'utf8'), 'HTTP_PORT=9\nGITHUB_TOKEN=ghp_new\n');
  assert(git(root, 'status', '--porcelain') === '');
});

for (const [name, root, hint] of [
  ['is not ignored', checkout('A=1\n', 'node_modules\n'), /\.gitignore/],
  ['is ignored, but not while it is written', checkout('A=1\n', '.env\n'), /\.env\.\*/],
] as const) {
  test(`nothing is saved where .env ${name}`, async () => {
    const { error } = await refusal(() => saveSettings(gitExec, root, { GITHUB_TOKEN: 'ghp_new' }));
    assert.equal(error.id, 'env-in-git');
    assert.match(error.hint ?? '', hint);
    assert.equal(read(root), 'A=1\n');
  });
}

test('nothing is saved where .env is tracked, although it is ignored', async () => {
  const root = checkout('A=1\n');
  git(root, 'add', '--force', '.env');
  const { error } = await refusal(() => saveSettings(gitExec, root, { GITHUB_TOKEN: 'ghp_new' }));
  assert.equal(error.id, 'env-in-git');
  assert.match(error.hint ?? '', /git rm --cached/);
  assert.equal(read(root), 'A=1\n');
});

test('a folder that is no repository commits nothing, so it can be saved there', async () => {
  const root = mkdtempSync(join(folder, 'plain '));
  await saveSettings(gitExec, root, { GITHUB_TOKEN: 'ghp_new' });
  assert.equal(read(root), 'GITHUB_TOKEN=ghp_new\n');
});

test('this repository ignores .env', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  assert.equal(git(root, 'check-ignore', '.env', '.env.123.tmp'), '.env\n.env.123.tmp');
});

test('a crash in the middle leaves the old file, and what it left behind goes with the next time', async () => {
  const root = checkout(`GITHUB_TOKEN=old\n${'# a line that takes its time\n'.repeat(200_000)}`);
  let crashed = 0;
  for (const delay of [0, 1, 4, 16]) {
    const before = read(root);
    const { text } = await killedWhileSaving(root, delay);
    // Either nothing happened yet, or all of it.
    assert([before, text].includes(read(root)), 'a file that is neither the old nor the new one');
    if (names(root).length > 2) crashed += 1;
  }
  assert(crashed > 0, 'no crash hit the middle');
  await saveSettings(gitExec, root, { GITHUB_TOKEN: 'ghp_last' });
  assert.deepEqual(names(root), ['.env', '.env.example']);
  assert.match(read(root), /^GITHUB_TOKEN=ghp_last\n/);
});

const saving = compiled(`
  import { saveSettings } from './scripts/config/dotenv.ts';
  const [root, token] = process.argv.slice(2);
  const exec = async (command) => ({ stdout: '', stderr: '', exitCode: command.includes('ls-files') ? 1 : 0 });
  await saveSettings(exec, root, { GITHUB_TOKEN: token });
  await new Promise(() => setInterval(() => {}, 1000));`);

/** Kills a process that saves a token, some milliseconds after it began to write. */
async function killedWhileSaving(root: string, delay: number): Promise<{ text: string }> {
  const token = `ghp_crash${delay}`;
  const child = spawn(process.execPath, [saving, root, token], { stdio: 'ignore' });
  const text = read(root).replace(/^GITHUB_TOKEN=.*/, `GITHUB_TOKEN=${token}`);
  const begun = () => names(root).some((name) => name.startsWith(`.env.${child.pid}-`));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  // The new file takes the old one's place, so it is another one to the system, too.
  const file = () => statSync(join(root, '.env')).ino;
  const old = file();
  while (!begun() && file() === old) await new Promise((resolve) => setImmediate(resolve));
  if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
  child.kill('SIGKILL');
  await ended;
  return { text };
}

test('a named pipe or a device in the place of .env keeps what it is, and never gets the token', async () => {
  const [piped, linked] = [checkout(), checkout()];
  assert.equal(spawnSync('mkfifo', [join(piped, '.env')]).status, 0);
  const device = join(dirname(linked), `device of ${basename(linked)}`);
  placeDevice(device);
  symlinkSync(device, join(linked, '.env'));
  for (const [root, kind] of [
    [piped, 'a named pipe'],
    [linked, 'a device'],
  ] as const) {
    const before = lstatSync(join(root, '.env'));
    const { error } = await refusal(() => saveSettings(gitExec, root, { GITHUB_TOKEN: 'ghp_new' }));
    assert.equal(error.id, 'not-a-regular-file');
    assert.match(error.message, new RegExp(`\\.env.*${kind}`));
    const { ino, mode } = lstatSync(join(root, '.env'));
    assert.deepEqual([ino, mode, names(root)], [before.ino, before.mode, ['.env', '.env.example']]);
  }
});

test('settings are read from a named pipe, as <(...) of a shell is one; a folder is refused in a sentence', async () => {
  const root = checkout();
  assert.equal(spawnSync('mkfifo', [join(root, '.env')]).status, 0);
  const writer = spawn('sh', ['-c', 'echo CLUSTER_NAME=piped > "$1"', 'sh', join(root, '.env')]);
  assert.equal(loadConfig(root, {}).clusterName, 'piped');
  await new Promise((resolve) => writer.once('exit', resolve));
  rmSync(join(root, '.env'));
  mkdirSync(join(root, '.env'));
  assert.equal((await refusal(() => loadConfig(root, {}))).error.id, 'not-a-regular-file');
});
