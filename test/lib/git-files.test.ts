import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { Exec } from '../../scripts/lib/exec.ts';
import { uncommittedFiles } from '../../scripts/lib/git/checkout.ts';
import { blobsAt, filesAt } from '../../scripts/lib/git/commits.ts';
import { gitIn } from '../../scripts/lib/git/run.ts';
import { refusal, temporaryFolder } from '../support/fakes.ts';
import { commit, createRepository, git, gitExec, write } from '../support/repository.ts';

const texts: Record<string, string> = {
  'plain.yaml': 'tag: one\n',
  'blank lines.yaml': '\n\na: 1\n\n  \nb: 2\n\n\n',
  'a: b.yaml': 'named: by a colon\n',
  '*.yaml': 'named: by a pattern\n',
  'sub/ü/values.yaml': 'below: ü €\n',
  'windows.yaml': 'a: 1\r\n\r\nb: 2\r\n',
  'colons.yaml': 'HEAD:plain.yaml: x\n--\n-- a\n',
  'binary.yaml': 'a: "\0"\n\0\n',
};
const open = 'a: 1\nb: 2';
const folder = await temporaryFolder();
const repository = createRepository(join(folder, 'repository'));
const first = commit(repository, 'Start', { ...texts, 'open end.yaml': open });
const second = commit(repository, 'Change', { 'plain.yaml': 'tag: two\n' });

const read = async (at: string, ...paths: string[]) =>
  Object.fromEntries(await filesAt(gitExec, repository, at, paths));

test('every file comes back letter by letter, whatever it is called and whatever is in it', async () => {
  assert.deepEqual(await read(first, ...Object.keys(texts)), texts);
});

test('one process reads them all', async () => {
  let processes = 0;
  const exec: Exec = (command, options) => {
    processes += 1;
    return gitExec(command, options);
  };
  assert.equal((await filesAt(exec, repository, first, Object.keys(texts))).size, Object.keys(texts).length);
  assert.equal(processes, 1);
});

test('a file without a line end behind its last line has none, and the file behind it stays apart', async () => {
  const found = await read(first, 'open end.yaml', 'plain.yaml');
  assert.deepEqual(found, { 'open end.yaml': open, 'plain.yaml': texts['plain.yaml'] });
});

test('a file is read as it is at the commit, not as it is at another or lies in the folder', async () => {
  write(repository, 'plain.yaml', 'tag: mine\n');
  for (const [at, tag] of [
    [first, 'one'],
    [second, 'two'],
    ['HEAD', 'two'],
  ] as const)
    assert.deepEqual(await read(at, 'plain.yaml'), { 'plain.yaml': `tag: ${tag}\n` });
});

test('a file that the commit does not have is left out, and the others are there', async () => {
  assert.deepEqual(await read(first, 'none.yaml', 'plain.yaml'), { 'plain.yaml': texts['plain.yaml'] });
  assert.deepEqual(await read(first, 'none.yaml'), {});
});

test('a name is no pattern: only the file of exactly that name is read', async () => {
  assert.deepEqual(Object.keys(await read(first, '*.yaml')), ['*.yaml']);
});

test('blobs come back byte for byte, whatever they are called, with nothing for a file that the commit lacks', async () => {
  const wanted = { ...texts, 'open end.yaml': open };
  const names = [...Object.keys(wanted), 'none.yaml'].map((path) => `${first}:${path}`);
  const found = await blobsAt(gitIn(gitExec, repository, 'reading'), names);
  assert.deepEqual(found, [...Object.values(wanted), undefined]);
});

test('a blob or a folder that Git lost is a failure, and no file that the commit lacks', async () => {
  for (const lost of ['helm', 'helm/values.yaml']) {
    const damaged = createRepository(join(folder, `without ${lost.replace('/', ' ')}`));
    commit(damaged, 'Start', { 'helm/values.yaml': '# hold: a\n' });
    const object = git(damaged, 'rev-parse', `HEAD:${lost}`);
    rmSync(join(damaged, '.git/objects', object.slice(0, 2), object.slice(2)));
    const read = (path: string) => blobsAt(gitIn(gitExec, damaged, 'reading'), [`HEAD:${path}`]);
    assert.match((await refusal(() => read('helm/values.yaml'))).text, /Git can't read HEAD:helm|ls-tree failed/, lost);
    assert.deepEqual(await read('none.yaml'), [undefined]);
  }
});

test('a link is followed at the commit, as a file and as a folder on the way; one to nothing is no file', async () => {
  const linked = createRepository(join(folder, 'linked'));
  write(linked, 'shared/values.yaml', 'tag: one\n');
  const links = {
    'helm/values.yaml': '../shared/values.yaml',
    charts: 'helm',
    'helm/gone.yaml': 'nowhere',
    loop: 'loop',
  };
  for (const [path, target] of Object.entries(links)) {
    mkdirSync(dirname(join(linked, path)), { recursive: true });
    symlinkSync(target, join(linked, path));
  }
  const at = commit(linked, 'Link');
  write(linked, 'shared/values.yaml', 'tag: mine\n');
  const found = await filesAt(gitExec, linked, at, [
    'helm/values.yaml',
    'charts/values.yaml',
    'helm/gone.yaml',
    'loop',
  ]);
  assert.deepEqual(Object.fromEntries(found), { 'helm/values.yaml': 'tag: one\n', 'charts/values.yaml': 'tag: one\n' });
});

for (const target of ['/etc/passwd', '../../secret.yaml'])
  test(`a link to ${target}, out of the repository, is refused in one sentence`, async () => {
    const linked = createRepository(await temporaryFolder());
    mkdirSync(join(linked, 'helm'));
    symlinkSync(target, join(linked, 'helm/values.yaml'));
    const at = commit(linked, 'Link');
    const { error, text } = await refusal(() => filesAt(gitExec, linked, at, ['helm/values.yaml']));
    assert.equal(error.id, 'link-outside');
    assert.match(
      text,
      /^helm\/values\.yaml at \w{7} is a symbolic link out of the repository, to .*, which Argo CD refuses\.$/m,
    );
  });

test('uncommitted files are changed, staged, removed and new ones of the folders asked for', async () => {
  const many = createRepository(join(folder, 'many'));
  commit(many, 'Start', { 'ops/helm/a b.yaml': '1', 'ops/helm/ü.yaml': '1', 'ops/helm/gone': '1', 'ops/other': '1' });
  for (const name of ['helm/a b.yaml', 'helm/ü.yaml', 'helm/new', 'other']) write(many, `ops/${name}`, '2');
  git(many, 'add', 'ops/helm/ü.yaml');
  git(many, 'rm', '--quiet', 'ops/helm/gone');
  const found = await uncommittedFiles(gitExec, join(many, 'ops'), ['helm']);
  assert.deepEqual(
    found.sort(),
    ['a b.yaml', 'gone', 'new', 'ü.yaml'].map((name) => `ops/helm/${name}`),
  );
});
