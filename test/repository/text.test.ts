// Clones that are set up differently: each works, or is refused with the way out.
import assert from 'node:assert/strict';
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readWorkingTree } from '../../scripts/repository/text.ts';
import { refusal, temporaryFolder } from '../support/fakes.ts';
import { commit, createRepository, git, gitExec } from '../support/repository.ts';

const folder = realpathSync(await temporaryFolder());
const origin = createRepository(join(folder, 'origin'));
git(origin, 'config', 'uploadpack.allowFilter', 'true');
commit(origin, 'Start', { 'helm/a/values.yaml': 'a: 1\n', 'argocd/a.yaml': 'b: 1\n', 'docs/a.md': 'c\n' });
await gitExec(['ln', '-s', 'a', join(origin, 'helm', 'link')]);
const head = commit(origin, 'Go on', { 'helm/a/values.yaml': 'a: 2\n' });

let count = 0;
const clone = (...flags: string[]) => {
  const to = join(folder, `clone ${++count}`);
  git(folder, 'clone', '--quiet', ...flags, `file://${origin}`, to);
  return to;
};

const working: [string, () => string, branch: string | undefined][] = [
  ['a sparse checkout with the folders that are read', () => sparse('helm', 'argocd'), 'main'],
  ['a clone with core.fileMode=false', () => clone('--config', 'core.fileMode=false'), 'main'],
  ['a branch named like a tag', () => on('release', 'release'), 'release'],
  ['a branch named with slashes', () => on('feature/a/b'), 'feature/a/b'],
  ['a branch in other letters', () => on('über-größe'), 'über-größe'],
  ['a branch named like a ref', () => on('refs/heads/x'), 'refs/heads/x'],
  ['a branch named heads/main', () => on('heads/main'), 'heads/main'],
  ['a detached HEAD, as Jujutsu leaves it', () => on('--detach'), undefined],
  ['a submodule of another repository', submodule, undefined],
  ['a repository whose Git folder is elsewhere', () => clone('--separate-git-dir', join(folder, 'elsewhere')), 'main'],
];
for (const [what, make, branch] of working) {
  test(`${what} works`, async () => {
    const found = await readWorkingTree(gitExec, make());
    assert.equal(found.head, head);
    if (what !== 'a submodule of another repository') assert.equal(found.branch, branch);
  });
}

function on(name: string, tag?: string): string {
  const made = clone();
  if (tag !== undefined) git(made, 'tag', tag);
  git(made, 'checkout', '--quiet', ...(name === '--detach' ? [name] : ['-b', name]));
  return made;
}
function sparse(...folders: string[]): string {
  const made = clone();
  git(made, 'sparse-checkout', 'set', ...(folders.includes('--no-cone') ? [] : ['--cone']), ...folders);
  return made;
}
function submodule(): string {
  const outer = createRepository(join(folder, 'outer'));
  git(outer, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', `file://${origin}`, 'ops');
  return join(outer, 'ops');
}

const repaired: [string, () => string, RegExp][] = [
  ['a clone without blobs', () => clone('--filter=blob:none'), /partial clone/],
  ['a clone without trees', () => clone('--filter=tree:0'), /partial clone/],
  ['a sparse checkout without helm/', () => sparse('argocd'), /sparse checkout lacks helm/],
  ['one without both', () => sparse('docs'), /sparse checkout lacks argocd/],
  ['one by patterns', () => sparse('/docs/', '--no-cone'), /sparse checkout lacks argocd/],
  ['a clone without symbolic links', () => clone('--config', 'core.symlinks=false'), /link helm\/link as a file/],
];
for (const [what, make, says] of repaired) {
  test(`${what} is refused, and works after the command that it is told`, async () => {
    const made = make();
    const { error } = await refusal(() => readWorkingTree(gitExec, made));
    assert.equal(error.id, 'clone-unfit');
    assert.match(error.message, says);
    const command = error.hint?.replace(/, for each.*/, '') ?? '';
    await gitExec(['bash', '-c', `cd "$1" && ${command}`, 'repair', made]);
    assert.equal((await readWorkingTree(gitExec, made)).head, head);
    assert.equal(git(made, 'rev-list', '--objects', '--all', '--missing=print').match(/^\?/m), null);
  });
}

test('a repository with SHA-256 is refused', async () => {
  const made = join(folder, 'sha256');
  git(folder, 'init', '--quiet', '--object-format=sha256', made);
  commit(made, 'Start');
  const { error } = await refusal(() => readWorkingTree(gitExec, made));
  assert.match(error.message, /sha256/);
});

test('line ends stay as they are with core.autocrlf=true', () => {
  const attributes = readFileSync(new URL('../../.gitattributes', import.meta.url), 'utf8');
  const source = createRepository(join(folder, 'lines'));
  commit(source, 'Start', { '.gitattributes': attributes, 'a.yaml': 'a: 1\n' });
  const made = join(folder, 'lines of Windows');
  git(folder, 'clone', '--quiet', '--config', 'core.autocrlf=true', source, made);
  assert.equal(readFileSync(join(made, 'a.yaml'), 'utf8'), 'a: 1\n');
});
