// That promotions and rollbacks are made beside the user's working tree: what is done there meanwhile stays, and hooks run.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { land } from '../../scripts/delivery/promote/land.ts';
import type { Workspace } from '../../scripts/delivery/promote/workspace.ts';
import { fakeContext, temporaryFolder } from '../support/fakes.ts';
import { root } from '../support/helm.ts';
import {
  core,
  createPlatform,
  demand,
  dirt,
  hook,
  nobody,
  promoted,
  run,
  subjects,
  tagOf,
  typed,
  values,
  waitForHook,
} from '../support/promotion.ts';
import { commit, git, gitEnvironment, write } from '../support/repository.ts';

const base = await temporaryFolder();
let repositories = 0;
const platform = () => createPlatform(join(base, `clone ${repositories++}`));
const head = (folder: string, revision = 'HEAD') => git(folder, 'rev-parse', revision);
const promoting = ['promote', 'core-go', 'a1b2c3d'] as const;

/** Has a command run in place of you before git does one of its own: no hook runs in that moment. */
function before(folder: string, subcommand: string, ...commands: string[]) {
  const real = spawnSync('which', ['git'], { encoding: 'utf8' }).stdout.trim();
  const script = `case "$*" in *" ${subcommand} "*) (${typed(folder, ...commands)}) >&2;; esac\nexec ${real} "$@"`;
  hook(folder, 'git', script, '.git/programs');
  return { PATH: `${join(folder, '.git/programs')}:${process.env.PATH}` };
}

for (const [when, words] of [
  ['pre-commit', ['rollback', 'core-go']],
  ['update-ref', ['promote', 'core-go', 'b2c3d4e']],
] as const) {
  test(`${words[0]}: a branch that is switched at ${when} gets nothing, the one that was looked at does`, async () => {
    const folder = platform();
    const last = promoted(folder, 'a1b2c3d');
    const switching = ['git switch --quiet --create other', 'echo mine > notes.txt'];
    if (when === 'pre-commit') hook(folder, when, typed(folder, ...switching));
    const env = when === 'update-ref' ? before(folder, when, 'rm .git/programs/git', ...switching) : {};
    const text = await demand(folder, words, { env });
    assert.deepEqual([git(folder, 'branch', '--show-current'), head(folder)], ['other', last]);
    assert.equal(head(folder, 'main~1'), last);
    assert.match(text, new RegExp(`Committed as ${head(folder, 'main').slice(0, 7)}: `));
    assert.match(text, /This checkout is not on main any more/);
    assert.deepEqual([tagOf(folder), dirt(folder)], ['a1b2c3d', '?? notes.txt']);
  });
}

test('a branch that moves meanwhile keeps its new commit, and the command fails', async () => {
  const folder = platform();
  hook(folder, 'post-commit', typed(folder, 'rm .git/hooks/post-commit', 'git commit --quiet --allow-empty -m Mine'));
  const said = await run(folder, promoting);
  assert.equal(said.code, 1, said.text);
  assert.match(said.text, /main moved from [0-9a-f]{7} to [0-9a-f]{7} meanwhile, so nothing was changed\./);
  assert.deepEqual([subjects(folder)[0], tagOf(folder), dirt(folder)], ['Mine', '1df3b1f', '']);
});

test('an edit that is saved meanwhile stays, staged if it was, and nothing else is left behind', async () => {
  for (const [words, ...staging] of [
    [['rollback', 'core-go'] as const],
    [['promote', 'all', 'b2c3d4e'] as const, `git add ${core}`],
  ] as const) {
    const folder = platform();
    promoted(folder, 'a1b2c3d');
    const edited = `${values(folder, 'core-go')}# mine\n`;
    hook(folder, 'pre-commit', typed(folder, `echo "# mine" >> ${core}`, ...staging));
    assert.match(await demand(folder, words), /core-go\/values\.yaml was edited meanwhile and stays as it is/);
    assert.equal(values(folder, 'core-go'), edited);
    assert.equal(dirt(folder), `M${staging.length === 0 ? '' : ' '} ${core}`);
    assert.notEqual(tagOf(folder, 'core-go', 'HEAD'), 'a1b2c3d');
    assert.equal(git(folder, 'diff', '--cached', '--name-only'), staging.length === 0 ? '' : core);
  }
});

test('a command that is killed leaves nothing that the next one does not remove', async () => {
  const folder = platform();
  promoted(folder, 'a1b2c3d');
  const started = join(folder, '.git', 'hook started');
  hook(folder, 'pre-commit', `: > "${started}"; sleep 30`);
  const program = `await import(${JSON.stringify(join(root, 'test/support/promotion.ts'))})
    .then(({ run }) => run(${JSON.stringify(folder)}, ['rollback', 'core-go']))`;
  const cli = ['--input-type=module', '--import', 'tsx', '--eval', program];
  const child = spawn(process.execPath, cli, { cwd: root, env: gitEnvironment });
  const ended = new Promise((resolve) => child.once('close', resolve));
  await waitForHook(started, ended);
  child.kill('SIGKILL');
  await ended;
  assert.deepEqual([tagOf(folder), dirt(folder)], ['a1b2c3d', '']);
  assert.equal(existsSync(join(folder, '.git/REVERT_HEAD')), false);
  assert.equal(git(folder, 'worktree', 'list').split('\n').length, 1);
  hook(folder, 'pre-commit', 'exit 0');
  await demand(folder, ['rollback', 'core-go']);
  assert.deepEqual(readdirSync(join(folder, '.state')), []);
});

const hookNames = ['pre-commit', 'prepare-commit-msg', 'commit-msg', 'post-commit', 'pre-push'];
for (const where of ['.git/hooks', 'tools/hooks']) {
  test(`every hook in ${where} runs on the branch and sees the change; a remote may be called as this platform is`, async () => {
    const folder = platform();
    const bare = `${folder}.git`;
    git(folder, 'clone', '--quiet', '--bare', '.', bare);
    git(folder, 'remote', 'add', 'platform-ops', bare);
    git(folder, 'fetch', '--quiet', 'platform-ops');
    if (where !== '.git/hooks') git(folder, 'config', 'core.hooksPath', `./${where}`);
    const log = join(folder, '.git', 'hooks.log');
    for (const name of hookNames) {
      const sees = name === 'pre-push' ? '' : ` $(git branch --show-current) $(grep -o 'tag: .*' ${core})`;
      hook(folder, name, `echo "${name}${sees.replaceAll('"', '\\"')}" >> "${log}"`, where);
    }
    await demand(folder, promoting, { flags: { push: true } });
    const saw = hookNames.map((name) => (name === 'pre-push' ? name : `${name} main tag: "a1b2c3d"`));
    assert.deepEqual(readFileSync(log, 'utf8').trim().split('\n'), saw);
    assert.deepEqual([head(bare, 'main'), tagOf(folder)], [head(folder), 'a1b2c3d']);
  });
}

test('what hooks change and add to the message belongs to the commit, and the checkout follows', async () => {
  const folder = platform();
  hook(folder, 'pre-commit', `echo "# formatted" >> ${core}\necho made > made.txt\ngit add ${core} made.txt`);
  hook(folder, 'commit-msg', 'echo "Signed-off-by: Ann" >> "$1"');
  await demand(folder, promoting);
  assert.equal(git(folder, 'show', '--name-only', '--format='), `${core}\nmade.txt`);
  assert.match(git(folder, 'log', '-1', '--format=%B'), /^chore: promote images a1b2c3d\n[\s\S]*Signed-off-by: Ann/);
  assert.deepEqual([dirt(folder), readFileSync(join(folder, 'made.txt'), 'utf8')], ['', 'made\n']);
  assert.match(values(folder, 'core-go'), /"a1b2c3d"[\s\S]*# formatted\n$/);
});

test('a commit is signed as the user has it set up', async (t) => {
  const folder = platform();
  const key = join(base, 'key');
  const made = spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  if (made.error) return t.skip('there is no ssh-keygen');
  const settings = { 'commit.gpgsign': 'true', 'gpg.format': 'ssh', 'user.signingKey': `${key}.pub` };
  for (const setting of Object.entries(settings)) git(folder, 'config', ...setting);
  await demand(folder, promoting);
  assert.match(git(folder, 'cat-file', 'commit', 'HEAD'), /\ngpgsig -----BEGIN SSH SIGNATURE-----/);
});

test('in a linked worktree its own branch gets the commit, by the identity of a conditional include', async () => {
  const folder = platform();
  write(folder, '.git/work.config', '[user]\n\tname = Ann at work\n\temail = ann@work\n');
  git(folder, 'config', `includeIf.gitdir:${folder}/.path`, join(folder, '.git/work.config'));
  const linked = join(base, `linked ${repositories++}`);
  git(folder, 'worktree', 'add', '--quiet', '-b', 'feature', linked);
  await demand(linked, promoting, { env: nobody });
  assert.equal(git(linked, 'log', '-1', '--format=%an %ce'), 'Ann at work ann@work');
  await demand(linked, ['rollback', 'core-go'], { env: nobody });
  assert.match(values(linked, 'core-go'), /# hold: a1b2c3d was rolled back by Ann at work, /);
  assert.deepEqual([subjects(linked).length, subjects(folder), dirt(linked)], [3, ['Start'], '']);
});

test('a checkout of another user that Git is told to trust is one to promote in', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can give files away');
  const folder = platform();
  spawnSync('chown', ['-R', '12345', folder]);
  const config = join(base, 'trusting.config');
  writeFileSync(config, `[safe]\n\tdirectory = ${folder}\n`);
  // By this variable Git's own tests pretend that our worktree is another user's as well, as on a mounted disk.
  await demand(folder, promoting, { env: { GIT_CONFIG_GLOBAL: config, GIT_TEST_ASSUME_DIFFERENT_OWNER: '1' } });
});

test('a worktree that can not be removed, for a hook made a file of it immutable, undoes nothing', async (t) => {
  // Nothing is read-only for root, but for what chattr made so.
  const [lock, unlock] =
    process.getuid?.() === 0 ? ['chattr +i locked/file', 'chattr -R -i'] : ['chmod 555 locked', 'chmod -R u+w'];
  if (spawnSync(lock.split(' ')[0] ?? '', ['--version']).error) return t.skip('chattr is missing');
  const folder = platform();
  hook(folder, 'pre-commit', `mkdir locked && : > locked/file && ${lock}`);
  t.after(() => spawnSync('sh', ['-c', `${unlock} .state`], { cwd: folder }));
  for (const tag of ['a1b2c3d', 'b2c3d4e']) await demand(folder, ['promote', 'core-go', tag]);
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
  await demand(folder, promoting);
  assert.deepEqual([tagOf(folder), dirt(folder)], ['a1b2c3d', '']);
  assert.match(values(folder, 'core-go'), /"a1b2c3d"\r\n/);
  assert.doesNotMatch(values(folder, 'core-go'), /[^\r]\n/);
});

test('--no-commit leaves an edit that is saved while the registry is asked', async () => {
  const folder = platform();
  const edits = ['api-node', 'core-go'].map((name) => {
    const file = `helm/${name}/values.yaml`;
    return { service: { name, file, schema: '' }, before: values(folder, name), after: 'after\n' };
  });
  appendFileSync(join(folder, core), '# mine\n');
  const context = fakeContext({ config: { root: folder } });
  const workspace = { context, commitOptions: { commit: false, push: false } } as Workspace;
  const plan = { message: '', notes: [], unchanged: '', edits };
  await assert.rejects(land(workspace, plan), /core-go\/values\.yaml was edited meanwhile/);
  assert.equal(dirt(folder), `M ${core}`);
  assert.match(values(folder, 'core-go'), /# mine\n$/);
});

test('a tag that another values file overrides is not promoted: the line that does is named', async () => {
  for (const [file, service] of [
    ['values-dev.yaml', 'core-go'],
    ['values-prod.yaml', 'all'],
  ] as const) {
    const folder = platform();
    const overlay = `helm/core-go/${file}`;
    commit(folder, 'Try it', { [overlay]: '# for a trial\nreplicaCount: 1\nimage:\n  tag: "c3d4e5f"\n' });
    const said = await run(folder, ['promote', service, 'a1b2c3d']);
    assert.equal(said.code, 1, said.text);
    assert.match(said.text, new RegExp(`${overlay}:4 sets image\\.tag to c3d4e5f, which overrides ${core}`));
    assert.deepEqual([subjects(folder)[0], dirt(folder)], ['Try it', '']);
    promoted(folder, 'b2c3d4e');
    assert.equal((await run(folder, ['rollback', 'core-go'])).code, 1);
    await demand(folder, ['promote', 'core-go', 'c3d4e5f'], { flags: { 'dry-run': true } });
  }
});

test('--dry-run prints the plan, and does nothing', async () => {
  const folder = platform();
  const last = promoted(folder, 'a1b2c3d');
  const dryRun = async (words: readonly [string, ...string[]], flags = {}) =>
    (await run(folder, words, { flags: { 'dry-run': true, ...flags } })).stdout;
  for (const [words, to, subject] of [
    [['promote', 'core-go', 'b2c3d4e'], 'b2c3d4e', 'chore: promote images b2c3d4e'],
    [['rollback', 'core-go'], '1df3b1f', 'Revert "chore: promote images a1b2c3d"'],
  ] as const) {
    const onto = `Would be committed to main, on top of ${last.slice(0, 7)}: ${subject}`;
    assert.equal((await dryRun(words)).split('\n').slice(0, 2).join('\n'), `core-go: a1b2c3d → ${to}\n${onto}`);
    const { notes: _, ...plan } = JSON.parse(await dryRun(words, { json: true }));
    const changes = [{ service: 'core-go', file: core, from: 'a1b2c3d', to }];
    assert.deepEqual(plan, { changes, subject, branch: 'main', onto: last, push: null });
  }
  assert.match(await dryRun(promoting), /^Nothing would change\.\ncore-go: at a1b2c3d already\.$/);
  assert.deepEqual([head(folder), dirt(folder)], [last, '']);
});
