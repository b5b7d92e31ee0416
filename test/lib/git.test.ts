import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ExitCode } from '../../scripts/lib/errors.ts';
import { createExec, type Exec } from '../../scripts/lib/exec.ts';
import { readCheckout } from '../../scripts/lib/git/checkout.ts';
import { everyKind, refusal, temporaryFolder } from '../support/fakes.ts';
import { commit, createRepository, git, gitEnvironment, gitExec, write } from '../support/repository.ts';

const folder = realpathSync(await temporaryFolder());
const origin = createRepository(join(folder, 'origin'));
const first = commit(origin, 'Start: "quoted", ünd more', { 'helm/api/values.yaml': 'tag: one\n', 'sub/ops/a': '' });
const head = commit(origin, 'chore: promote', { 'helm/api/values.yaml': 'tag: two\n' });

const read = (where: string) => readCheckout(gitExec, where);
const refused = async (where: string) => {
  const { error, text } = await refusal(() => read(where));
  assert.equal(error.exitCode, ExitCode.usage);
  return text;
};

test('a checkout is read with its commit, subject and branch', async () => {
  assert.deepEqual(await read(origin), {
    top: origin,
    prefix: '',
    commonDir: join(origin, '.git'),
    borrows: [],
    shallow: false,
    head,
    subject: 'chore: promote',
    branch: 'main',
    linked: false,
  });
});

test('from a folder below the top, the way down to it is known', async () => {
  const { top, prefix } = await read(join(origin, 'sub', 'ops'));
  assert.deepEqual([top, prefix], [origin, 'sub/ops/']);
});

test('a checkout may have line breaks, commas and quotes in its path', async () => {
  const odd = createRepository(join(folder, 'a\nb, "c\' $d'));
  commit(odd, 'Start', { 'sub/a': '' });
  const { top, prefix, commonDir } = await read(join(odd, 'sub'));
  assert.deepEqual([top, prefix, commonDir], [odd, 'sub/', join(odd, '.git')]);
});

test('a linked worktree has its own branch and shares the folder of commits', async () => {
  const linked = join(folder, 'linked tree');
  git(origin, 'worktree', 'add', '--quiet', '-b', 'feature/x', linked, first);
  assert.deepEqual(await read(linked), {
    top: linked,
    prefix: '',
    commonDir: join(origin, '.git'),
    borrows: [],
    shallow: false,
    head: first,
    subject: 'Start: "quoted", ünd more',
    branch: 'feature/x',
    linked: true,
  });
});

test('a detached HEAD has a commit and no branch', async () => {
  const detached = join(folder, 'detached');
  git(folder, 'clone', '--quiet', origin, detached);
  git(detached, 'checkout', '--quiet', '--detach', first);
  const { head: at, branch, linked } = await read(detached);
  assert.deepEqual([at, branch, linked], [first, undefined, false]);
});

test('a commit without a subject is a commit', async () => {
  const silent = createRepository(join(folder, 'silent'));
  git(silent, 'commit', '--quiet', '--allow-empty', '--allow-empty-message', '--message', '');
  const { head: at, subject } = await read(silent);
  assert.deepEqual([at, subject], [git(silent, 'rev-parse', 'HEAD'), '']);
});

test('a repository without a commit is refused with the way to one', async () => {
  assert.match(await refused(createRepository(join(folder, 'empty'))), /no commit yet.*\n.*git commit/);
});

test('a folder that is no checkout is refused by its name', async () => {
  const plain = join(folder, 'plain');
  mkdirSync(plain);
  const text = await refused(plain);
  assert(text.startsWith(`${plain} is not a Git checkout`), text);
  assert.match(text, /git init/);
});

test('a shallow clone is read, and known to be one', async () => {
  const shallow = join(folder, 'shallow');
  git(folder, 'clone', '--quiet', '--depth=1', `file://${origin}`, shallow);
  const seen = async () => {
    const { head: at, shallow: ends } = await read(shallow);
    return [at, ends];
  };
  assert.deepEqual(await seen(), [head, true]);
  git(shallow, 'fetch', '--quiet', '--unshallow');
  assert.deepEqual(await seen(), [head, false]);
});

test('a clone that borrows objects is read with all stores, in turn and by relative paths, whatever they are called', async () => {
  const [middle, shared, both] = ['the "middle", ü', 'shared', 'both'].map((name) => join(folder, name)) as string[];
  git(folder, 'clone', '--quiet', '--shared', origin, middle ?? '');
  git(folder, 'clone', '--quiet', '--shared', middle ?? '', shared ?? '');
  write(shared ?? '', '.git/objects/info/alternates', '../../../the "middle", ü/.git/objects\n');
  const stores = [middle, origin].map((store) => join(store ?? '', '.git', 'objects'));
  const found = await read(shared ?? '');
  assert.deepEqual([found.head, found.borrows], [head, stores]);
  git(folder, 'clone', '--quiet', `--reference=${middle}`, '--dissociate', origin, both ?? '');
  assert.deepEqual((await read(both ?? '')).borrows, []);
});

test('a clone that borrows from a path with a colon is refused, and is fine after the command that it is told', async () => {
  const colon = join(folder, 'c:d');
  const borrowing = join(folder, 'borrowing');
  git(folder, 'clone', '--quiet', origin, colon);
  git(folder, 'clone', '--quiet', '--shared', colon, borrowing);
  const [message = '', command = ''] = (await refused(borrowing)).split('\n');
  assert.match(message, /c:d.* has a colon/);
  await gitExec(['bash', '-c', `cd "$1" && ${command}`, 'repair', borrowing]);
  assert.deepEqual((await read(borrowing)).borrows, []);
  git(borrowing, 'fsck', '--connectivity-only');
});

test('a reftable is refused by a Git that knows it, and by one that does not', async () => {
  const tables = createRepository(join(folder, 'tables'));
  commit(tables, 'Start');
  git(tables, 'config', 'core.repositoryFormatVersion', '1');
  // Git before 2.45, as Debian 12 has it, knows no such repository.
  git(tables, 'config', 'extensions.refStorage', 'reftable');
  assert.match(await refused(tables), /reftable.*\ngit refs migrate --ref-format=files/);
  const newer: Exec = async (command, options) =>
    command.includes('config')
      ? { stdout: 'extensions.refstorage\nreftable\0', stderr: '', exitCode: 0 }
      : gitExec(['git', '-C', origin, ...command.slice(3)], options);
  const { text } = await refusal(() => readCheckout(newer, tables));
  assert.match(text, /reftable/);
});

test('a path with a colon, which Docker cannot mount, is refused', async () => {
  const colon = createRepository(join(folder, 'a:b'));
  commit(colon, 'Start');
  assert.match(await refused(colon), /a:b.* has a colon.*\nMove/);
});

test('a checkout of another user is refused with the command that trusts it', async () => {
  // Git's own tests pretend it by this variable.
  const env = { ...gitEnvironment, GIT_TEST_ASSUME_DIFFERENT_OWNER: '1' };
  const exec = createExec({ env: everyKind(env), signal: new AbortController().signal });
  const { text } = await refusal(() => readCheckout(exec, origin));
  assert.match(text, /does not trust .*\ngit config --global --add safe\.directory ".*origin"/);
});

test('a git that is not there is told from a folder that is no checkout', async () => {
  const missing: Exec = async () => ({ stdout: '', stderr: 'bash: git: not found', exitCode: 127 });
  const { text } = await refusal(() => readCheckout(missing, folder));
  assert.match(text, /^git was not found\.\nInstall Git/);
});

/** Stands in for gpg: signs anything, and has something to say about every signature. */
const signer = `#!/bin/sh
case "$*" in *--verify*) echo 'gpg: Good signature' >&2; exit 0;; esac
cat >/dev/null
echo '[GNUPG:] SIG_CREATED x' >&2
printf -- '-----BEGIN PGP SIGNATURE-----\\n\\nx\\n-----END PGP SIGNATURE-----\\n'
`;

test('neither a shown signature nor a translated Git changes what is read', async () => {
  const signed = createRepository(join(folder, 'signed'));
  write(folder, 'signer', signer);
  chmodSync(join(folder, 'signer'), 0o755);
  const gpg = `gpg.program=${join(folder, 'signer')}`;
  git(signed, '-c', gpg, 'commit', '--quiet', '--allow-empty', '--gpg-sign=x', '--message', 'Signed');
  const settings = ['-c', gpg, '-c', 'log.showSignature=true', '-c', 'log.excludeDecoration=*'];
  const seen: unknown[] = [];
  const exec: Exec = (command, options = {}) => {
    seen.push(options.env?.LC_ALL);
    return gitExec(['git', ...settings, ...command.slice(1)], options);
  };
  const { head: at, subject, branch } = await readCheckout(exec, signed);
  assert.deepEqual([at, subject, branch], [git(signed, 'rev-parse', 'HEAD'), 'Signed', 'main']);
  assert.deepEqual(seen, ['C', 'C', 'C'], 'three processes, all in English');
});
