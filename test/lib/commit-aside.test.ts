import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createExec } from '../../scripts/lib/exec.ts';
import { commitUnreferenced } from '../../scripts/lib/git/commits.ts';
import { everyKind, refusal, temporaryFolder } from '../support/fakes.ts';
import { commit, createRepository, git, gitEnvironment, write } from '../support/repository.ts';

const repository = createRepository(join(await temporaryFolder(), 'repository'));
const head = commit(repository, 'Start', { 'a.txt': 'a\n', 'sub/b.txt': 'b\n' });
/** A machine on which nobody has told git who they are. */
const { GIT_AUTHOR_NAME: _, GIT_COMMITTER_NAME: __, ...anonymous } = gitEnvironment;
const exec = createExec({
  env: everyKind({ ...anonymous, HOME: '/nonexistent' }),
  signal: new AbortController().signal,
});
const aside = (files: Record<string, string>, parent = head, like?: string) =>
  commitUnreferenced(exec, repository, {
    parent,
    message: 'drill: Try',
    files: new Map(Object.entries(files)),
    ...(like !== undefined && { like }),
  });

/** All that a person has in a repository, the index letter by letter. */
function everything() {
  return {
    refs: git(repository, 'for-each-ref'),
    head: readFileSync(join(repository, '.git', 'HEAD'), 'utf8'),
    logs: git(repository, 'reflog', '--all'),
    index: readFileSync(join(repository, '.git', 'index')).toString('base64'),
    touched: statSync(join(repository, '.git', 'index')).mtimeMs,
    files: readdirSync(join(repository, '.git')).toSorted(),
    mine: readFileSync(join(repository, 'a.txt'), 'utf8'),
    temporary: readdirSync(tmpdir()).filter((name) => /^platform-ops-\w{6}$/.test(name)),
  };
}

test('a commit aside has its files, its parent and all else of it, and changes nothing that a person has', async () => {
  write(repository, 'a.txt', 'edited, not committed\n');
  write(repository, 'staged.txt', 'staged\n');
  git(repository, 'add', 'staged.txt');
  git(repository, 'config', 'core.splitIndex', 'true');
  const before = everything();
  const made = await aside({ 'sub/b.txt': 'other\r\n', 'new/ü c.txt': 'c' });
  assert.deepEqual(everything(), before);
  assert.equal(git(repository, 'rev-parse', `${made}^`), head);
  assert.equal(git(repository, 'log', '-1', '--format=%an %s', made), 'platform-ops drill: Try');
  const { stdout } = spawnSync('git', ['-C', repository, 'show', `${made}:sub/b.txt`], { encoding: 'utf8' });
  assert.equal(stdout, 'other\r\n');
  const tree = git(repository, '-c', 'core.quotePath=false', 'ls-tree', '-r', '--name-only', made);
  assert.deepEqual(tree.split('\n'), ['a.txt', 'new/ü c.txt', 'sub/b.txt']);
});

test('a commit that takes another one back has the files of the one before it', async () => {
  const made = await aside({ 'a.txt': 'bad\n' });
  const back = await aside({}, made, head);
  assert.equal(git(repository, 'rev-parse', `${back}^{tree}`), git(repository, 'rev-parse', `${head}^{tree}`));
  assert.equal(git(repository, 'rev-parse', `${back}^`), made);
});

test('a commit that is not there is refused in git’s words, and nothing stays behind', async () => {
  const before = everything().temporary;
  const { text } = await refusal(() => aside({}, '0'.repeat(40)));
  assert.match(text, /git read-tree failed: .+/);
  assert.deepEqual(everything().temporary, before);
});
