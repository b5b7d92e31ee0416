// That promotions and rollbacks are made beside the user's working tree: what is done there meanwhile stays, and hooks run.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { land } from '../../scripts/delivery/promote/land.ts';
import type { Workspace } from '../../scripts/delivery/promote/workspace.ts';
import { imageInValues } from '../../scripts/repository/image-values.ts';
import { fakeContext, temporaryFolder } from '../support/fakes.ts';
import { root } from '../support/helm.ts';
import { createPlatform, dirt, run, subjects, values } from '../support/promotion.ts';
import { commit, git, gitEnvironment, write } from '../support/repository.ts';

const base = await temporaryFolder();
let repositories = 0;
const platform = () => createPlatform(join(base, `clone ${repositories++}`));
const core = 'helm/core-go/values.yaml';
const tagAt = (folder: string, revision = 'HEAD') => imageInValues(values(folder, 'core-go', revision))?.tag;
const head = (folder: string, revision = 'HEAD') => git(folder, 'rev-parse', revision);
const message = (folder: string) => git(folder, 'log', '-1', '--format=%B');

/** Writes a hook into a folder of hooks of the repository. */
function hook(folder: string, name: string, script: string, where = '.git/hooks'): void {
  write(folder, `${where}/${name}`, `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, where, name), 0o755);
}

/** As typed in the user's folder, from a hook that runs somewhere else. */
const typed = (folder: string, ...commands: string[]) =>
  `unset GIT_DIR GIT_INDEX_FILE GIT_WORK_TREE GIT_PREFIX\ncd "${folder}"\n${commands.join('\n')}`;

for (const words of [
  ['promote', 'core-go', 'b2c3d4e'],
  ['rollback', 'core-go'],
] as [string, ...string[]][]) {
  test(`${words[0]}: a branch that is switched meanwhile gets nothing, the one that was looked at does`, async () => {
    const folder = platform();
    await run(folder, ['promote', 'core-go', 'a1b2c3d']);
    const before = head(folder);
    hook(folder, 'pre-commit', typed(folder, 'git switch --quiet --create other', 'echo mine > notes.txt'));
    const said = await run(folder, words);
    assert.equal(said.code, 0, said.text);
    assert.deepEqual([git(folder, 'branch', '--show-current'), head(folder)], ['other', before]);
    assert.equal(head(folder, 'main~1'), before);
    assert.match(said.text, new RegExp(`Committed as ${head(folder, 'main').slice(0, 7)}: `));
    assert.match(said.text, /This checkout is not on main any more/);
    assert.deepEqual([tagAt(folder), dirt(folder)], ['a1b2c3d', '?? notes.txt']);
  });

  test(`${words[0]}: a branch that moves meanwhile keeps its new commit, and the command fails`, async () => {
    const folder = platform();
    await run(folder, ['promote', 'core-go', 'a1b2c3d']);
    hook(folder, 'post-commit', typed(folder, 'rm .git/hooks/post-commit', 'git commit --quiet --allow-empty -m Mine'));
    const said = await run(folder, words);
    assert.equal(said.code, 1, said.text);
    assert.match(said.text, /main moved from [0-9a-f]{7} to [0-9a-f]{7} meanwhile, so nothing was changed\./);
    assert.deepEqual([subjects(folder)[0], tagAt(folder), dirt(folder)], ['Mine', 'a1b2c3d', '']);
  });

  test(`${words[0]}: an edit that is saved meanwhile stays, and nothing else is left behind`, async () => {
    const folder = platform();
    await run(folder, ['promote', 'core-go', 'a1b2c3d']);
    const before = values(folder, 'core-go');
    hook(folder, 'pre-commit', typed(folder, `echo "# mine" >> ${core}`));
    const said = await run(folder, words);
    assert.equal(said.code, 0, said.text);
    assert.match(said.text, /core-go\/values\.yaml was edited meanwhile and stays as it is/);
    assert.equal(values(folder, 'core-go'), `${before}# mine\n`);
    assert.equal(git(folder, 'diff', '--cached', '--name-only'), '');
    assert.notEqual(tagAt(folder), 'a1b2c3d');
  });
}

test('an edit that is staged meanwhile stays staged', async () => {
  const folder = platform();
  hook(folder, 'pre-commit', typed(folder, `echo "# mine" >> ${core}`, `git add ${core}`));
  assert.equal((await run(folder, ['promote', 'core-go', 'a1b2c3d'])).code, 0);
  assert.match(git(folder, 'show', `:${core}`), /# mine$/);
  assert.equal(tagAt(folder), 'a1b2c3d');
});

test('a command that is killed leaves nothing that the next one does not remove', async () => {
  const folder = platform();
  await run(folder, ['promote', 'core-go', 'a1b2c3d']);
  const started = join(folder, '.git', 'hook started');
  hook(folder, 'pre-commit', `: > "${started}"; sleep 30`);
  const cli = [
    '--import',
    'tsx',
    '--eval',
    `await import(${JSON.stringify(join(root, 'test/support/promotion.ts'))})
    .then(({ run }) => run(${JSON.stringify(folder)}, ['rollback', 'core-go']))`,
  ];
  const child = spawn(process.execPath, ['--input-type=module', ...cli], { cwd: root, env: gitEnvironment });
  const ended = new Promise((resolve) => child.once('close', resolve));
  while (!existsSync(started)) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGKILL');
  await ended;
  const edited = `${values(folder, 'core-go')}# mine\n`;
  appendFileSync(join(folder, core), '# mine\n');
  assert.deepEqual([tagAt(folder), existsSync(join(folder, '.git/REVERT_HEAD'))], ['a1b2c3d', false]);
  assert.equal(git(folder, 'worktree', 'list').split('\n').length, 1);
  git(folder, 'stash', '--quiet');
  hook(folder, 'pre-commit', 'exit 0');
  const said = await run(folder, ['rollback', 'core-go']);
  assert.equal(said.code, 0, said.text);
  assert.deepEqual(readdirSync(join(folder, '.state')), []);
  assert.equal(`${git(folder, 'show', `stash@{0}:${core}`)}\n`, edited);
});

const hookNames = ['pre-commit', 'prepare-commit-msg', 'commit-msg', 'post-commit', 'pre-push'];
for (const [where, config] of [
  ['.git/hooks', undefined],
  ['.hooks', '.hooks'],
  ['tools/hooks', './tools/hooks'],
] as const) {
  test(`every hook runs on the branch and sees the change, with core.hooksPath ${config}`, async () => {
    const folder = platform();
    const bare = `${folder}.git`;
    git(folder, 'clone', '--quiet', '--bare', '.', bare);
    git(folder, 'remote', 'add', 'origin', bare);
    if (config) git(folder, 'config', 'core.hooksPath', config);
    const log = join(folder, '.git', 'hooks.log');
    for (const name of hookNames) {
      const sees = name === 'pre-push' ? '' : ` $(git branch --show-current) $(grep -o 'tag: .*' ${core})`;
      hook(folder, name, `echo "${name}${sees.replaceAll('"', '\\"')}" >> "${log}"`, where);
    }
    const said = await run(folder, ['promote', 'core-go', 'a1b2c3d'], { flags: { push: true } });
    assert.equal(said.code, 0, said.text);
    const saw = hookNames.map((name) => (name === 'pre-push' ? name : `${name} main tag: "a1b2c3d"`));
    assert.deepEqual(readFileSync(log, 'utf8').trim().split('\n'), saw);
  });
}

test('what a hook changes belongs to the commit, and the checkout follows', async () => {
  const folder = platform();
  hook(folder, 'pre-commit', `echo "# formatted" >> ${core}\necho made > made.txt\ngit add ${core} made.txt`);
  assert.equal((await run(folder, ['promote', 'core-go', 'a1b2c3d'])).code, 0);
  assert.equal(git(folder, 'show', '--name-only', '--format='), `${core}\nmade.txt`);
  assert.deepEqual([dirt(folder), readFileSync(join(folder, 'made.txt'), 'utf8')], ['', 'made\n']);
  assert.match(values(folder, 'core-go'), /"a1b2c3d"[\s\S]*# formatted\n$/);
});

test('a commit is signed as the user has it set up', async (t) => {
  const folder = platform();
  const key = join(base, 'key');
  const made = spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  if (made.error) return t.skip('there is no ssh-keygen');
  for (const [name, value] of [
    ['commit.gpgsign', 'true'],
    ['gpg.format', 'ssh'],
    ['user.signingKey', `${key}.pub`],
  ] as const)
    git(folder, 'config', name, value);
  assert.equal((await run(folder, ['promote', 'core-go', 'a1b2c3d'])).code, 0);
  assert.match(git(folder, 'cat-file', 'commit', 'HEAD'), /\ngpgsig -----BEGIN SSH SIGNATURE-----/);
});

const nobody = Object.fromEntries(
  ['AUTHOR', 'COMMITTER'].flatMap((who) => [
    [`GIT_${who}_NAME`, undefined],
    [`GIT_${who}_EMAIL`, undefined],
  ]),
);

test('the identity of a conditional include counts', async () => {
  const folder = platform();
  write(folder, '.git/work.config', '[user]\n\tname = Ann at work\n\temail = ann@work\n');
  git(folder, 'config', `includeIf.gitdir:${join(folder)}/.path`, join(folder, '.git/work.config'));
  const said = await run(folder, ['promote', 'core-go', 'a1b2c3d'], { env: nobody });
  assert.equal(said.code, 0, said.text);
  assert.equal(git(folder, 'log', '-1', '--format=%an %ce'), 'Ann at work ann@work');
});

test('in a linked worktree, too, which lies elsewhere', async () => {
  const folder = platform();
  write(folder, '.git/work.config', '[user]\n\tname = Ann at work\n\temail = ann@work\n');
  git(folder, 'config', `includeIf.gitdir:${folder}/.path`, join(folder, '.git/work.config'));
  const linked = join(base, `linked ${repositories++}`);
  git(folder, 'worktree', 'add', '--quiet', '-b', 'feature', linked);
  const said = await run(linked, ['promote', 'core-go', 'a1b2c3d'], { env: nobody });
  assert.equal(said.code, 0, said.text);
  assert.equal(git(linked, 'log', '-1', '--format=%an %ce'), 'Ann at work ann@work');
});

test('a checkout of another user that Git is told to trust is one to promote in', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can give files away');
  const folder = platform();
  spawnSync('chown', ['-R', '12345', folder]);
  const config = join(base, 'trusting.config');
  writeFileSync(config, `[safe]\n\tdirectory = ${folder}\n`);
  const said = await run(folder, ['promote', 'core-go', 'a1b2c3d'], {
    // By this variable Git's own tests pretend that our worktree is another user's as well, as on a mounted disk.
    env: { GIT_CONFIG_GLOBAL: config, GIT_TEST_ASSUME_DIFFERENT_OWNER: '1' },
  });
  assert.equal(said.code, 0, said.text);
});

test('a worktree that can not be removed, for a hook made a file of it immutable, undoes nothing', async (t) => {
  // Nothing is read-only for root, but for what chattr made so.
  const [lock, unlock] =
    process.getuid?.() === 0 ? ['chattr +i locked/file', 'chattr -R -i'] : ['chmod 555 locked', 'chmod -R u+w'];
  if (spawnSync(lock.split(' ')[0] ?? '', ['--version']).error) return t.skip('chattr is missing');
  const folder = platform();
  hook(folder, 'pre-commit', `mkdir locked && : > locked/file && ${lock}`);
  t.after(() => spawnSync('sh', ['-c', `${unlock} .state`], { cwd: folder }));
  for (const tag of ['a1b2c3d', 'b2c3d4e']) {
    const said = await run(folder, ['promote', 'core-go', tag]);
    assert.equal(said.code, 0, said.text);
  }
});

test('a remote may be called as this platform is', async () => {
  const folder = platform();
  git(folder, 'clone', '--quiet', '--bare', '.', `${folder}.git`);
  git(folder, 'remote', 'add', 'platform-ops', `${folder}.git`);
  git(folder, 'fetch', '--quiet', 'platform-ops');
  const said = await run(folder, ['promote', 'core-go', 'a1b2c3d'], { flags: { push: true } });
  assert.equal(said.code, 0, said.text);
  assert.deepEqual([head(`${folder}.git`, 'main'), tagAt(folder)], [head(folder), 'a1b2c3d']);
});

test('settings of Git that a worktree of our own could not follow do no harm: submodules, and line ends that it complains of', async () => {
  const folder = platform();
  const other = platform();
  git(folder, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', other, 'vendored');
  commit(folder, 'With a submodule');
  for (const name of ['submodule.recurse', 'core.autocrlf', 'core.safecrlf']) git(folder, 'config', name, 'true');
  git(folder, 'rm', '--quiet', '--cached', '-r', 'helm');
  git(folder, 'reset', '--quiet', '--hard');
  assert.match(values(folder, 'core-go'), /\r\n/);
  const said = await run(folder, ['promote', 'core-go', 'a1b2c3d']);
  assert.equal(said.code, 0, said.text);
  assert.deepEqual([tagAt(folder), dirt(folder)], ['a1b2c3d', '']);
  assert.match(values(folder, 'core-go'), /"a1b2c3d"\r\n/);
  assert.doesNotMatch(values(folder, 'core-go'), /[^\r]\n/);
});

test('--no-commit leaves an edit that is saved while the registry is asked', async () => {
  const folder = platform();
  const plan = { message: '', notes: [], unchanged: '' };
  const edits = ['api-node', 'core-go'].map((name) => {
    const file = `helm/${name}/values.yaml`;
    return { service: { name, file, schema: '' }, before: values(folder, name), after: 'after\n' };
  });
  appendFileSync(join(folder, core), '# mine\n');
  const context = fakeContext({ config: { root: folder } });
  const workspace = { context, commitOptions: { commit: false, push: false } } as Workspace;
  await assert.rejects(land(workspace, { ...plan, edits }), /core-go\/values\.yaml was edited meanwhile/);
  assert.equal(dirt(folder), `M ${core}`);
  assert.match(values(folder, 'core-go'), /# mine\n$/);
});

for (const file of ['values-dev.yaml', 'values-prod.yaml']) {
  test(`a tag that ${file} overrides is not promoted: the line that does is named`, async () => {
    const folder = platform();
    const overlay = `helm/core-go/${file}`;
    commit(folder, 'Try it', { [overlay]: '# for a trial\nreplicaCount: 1\nimage:\n  tag: "c3d4e5f"\n' });
    for (const words of [
      ['promote', 'core-go', 'a1b2c3d'],
      ['promote', 'all', 'a1b2c3d'],
    ] as [string, ...string[]][]) {
      const said = await run(folder, words);
      assert.equal(said.code, 1, said.text);
      assert.match(said.text, new RegExp(`${overlay}:4 sets image\\.tag to c3d4e5f, which overrides ${core}`));
    }
    assert.deepEqual([subjects(folder)[0], dirt(folder)], ['Try it', '']);
    assert.equal((await run(folder, ['promote', 'core-go', 'c3d4e5f'])).code, 0, 'both say the same');
    assert.equal((await run(folder, ['rollback', 'core-go'])).code, 1);
  });
}

test('--dry-run prints the plan, and does nothing', async () => {
  const folder = platform();
  await run(folder, ['promote', 'core-go', 'a1b2c3d']);
  const before = head(folder);
  for (const [words, to, subject] of [
    [['promote', 'core-go', 'b2c3d4e'], 'b2c3d4e', 'chore: promote images b2c3d4e'],
    [['rollback', 'core-go'], '1df3b1f', 'Revert "chore: promote images a1b2c3d"'],
  ] as [[string, ...string[]], string, string][]) {
    const said = await run(folder, words, { flags: { 'dry-run': true } });
    assert.equal(said.code, 0, said.text);
    assert(
      said.stdout.startsWith(
        `core-go: a1b2c3d → ${to}\nWould be committed to main, on top of ${before.slice(0, 7)}: ${subject}`,
      ),
      said.stdout,
    );
    const { changes, ...rest } = JSON.parse(
      (await run(folder, words, { flags: { 'dry-run': true, json: true } })).stdout,
    );
    assert.deepEqual(changes, [{ service: 'core-go', file: core, from: 'a1b2c3d', to }]);
    assert.deepEqual([rest.subject, rest.branch, rest.onto, rest.push], [subject, 'main', before, null]);
  }
  assert.match(
    (await run(folder, ['promote', 'core-go', 'a1b2c3d'], { flags: { 'dry-run': true } })).stdout,
    /^Nothing would change\.\ncore-go: at a1b2c3d already\.$/,
  );
  assert.deepEqual([head(folder), dirt(folder), message(folder)], [before, '', 'chore: promote images a1b2c3d']);
});
