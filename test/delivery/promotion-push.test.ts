// That pushed promotions land behind those of others, in order and none lost, on real repositories.
import assert from 'node:assert/strict';
import { appendFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { holdsIn, withHold, withoutHolds } from '../../scripts/repository/hold.ts';
import { imageInValues, withImage } from '../../scripts/repository/image-values.ts';
import { temporaryFolder } from '../support/fakes.ts';
import {
  core,
  createPlatform,
  demand as demandOf,
  dirt,
  hook,
  run,
  subjects,
  tagOf,
  typed,
  values,
} from '../support/promotion.ts';
import { commit, git, write } from '../support/repository.ts';

const base = await temporaryFolder();
let remotes = 0;
const pushing = { flags: { push: true } };
const promoting = ['promote', 'core-go', 'a1b2c3d'] as const;
const demand = (folder: string, words: readonly [string, ...string[]], options = pushing) =>
  demandOf(folder, words, options);

const first = { bare: join(base, 'bare.git'), clone: join(base, 'clone') };
git(createPlatform(join(base, 'seed')), 'clone', '--quiet', '--bare', '.', first.bare);
git(base, 'clone', '--quiet', first.bare, first.clone);

/** A bare repository with the platform in it, and as many clones of it: copies of the first ones. */
function share(count = 2) {
  const folder = join(base, `remote ${remotes++}`);
  const bare = join(folder, 'bare.git');
  const clones = Array.from({ length: count }, (_, index) => join(folder, `clone ${index}`));
  cpSync(first.bare, bare, { recursive: true });
  for (const clone of clones) {
    cpSync(first.clone, clone, { recursive: true });
    const config = join(clone, '.git/config');
    writeFileSync(
      config,
      readFileSync(config, 'utf8').replace(first.bare, () => bare),
    );
  }
  const [mine = '', theirs = ''] = clones;
  return { bare, clones, mine, theirs };
}

/** The text and the tag of a service in the bare repository's main, and all tags that it had, oldest first. */
const textThere = (bare: string, service = 'core-go') => git(bare, 'show', `main:helm/${service}/values.yaml`);
const tagThere = (bare: string, service?: string) => imageInValues(textThere(bare, service))?.tag;
const tagsOf = (bare: string, service: string) =>
  git(bare, 'log', '--reverse', '--format=%H', 'main', '--', `helm/${service}/values.yaml`)
    .split('\n')
    .map((sha) => imageInValues(git(bare, 'show', `${sha}:helm/${service}/values.yaml`))?.tag);

/** What others commit, and whether they push it: a promotion, its rollback, or an edit. */
const others = {
  promotion: (folder: string, tag: string, service = 'core-go') => {
    const file = `helm/${service}/values.yaml`;
    commit(folder, `chore: promote images ${tag}`, { [file]: withImage(values(folder, service), { tag }, file) });
  },
  rollback: (folder: string, to = '1df3b1f') => {
    const hold = { service: 'core-go', tag: tagOf(folder) ?? '', by: 'Test', at: new Date() };
    const text = withHold(withImage(values(folder, 'core-go'), { tag: to }, core), hold);
    commit(folder, 'Revert', { [core]: text });
  },
  edit: (folder: string, files: Record<string, string> = {}) =>
    void commit(folder, 'Meanwhile', {
      'notes.txt': 'theirs\n',
      [core]: values(folder, 'core-go').replace('replicaCount: 3', 'replicaCount: 4'),
      ...files,
    }),
};
const push = (folder: string) => git(folder, 'push', '--quiet');
const pull = (folder: string) => git(folder, 'pull', '--quiet', '--rebase');

test('--push pushes the commit, and only that', async () => {
  const { bare, mine } = share();
  const text = await demand(mine, promoting);
  assert.match(text, /: chore: promote images a1b2c3d\nPushed to origin\/main\./);
  assert.deepEqual([tagThere(bare), git(bare, 'rev-parse', 'main')], ['a1b2c3d', git(mine, 'rev-parse', 'HEAD')]);
});

test('of an address with a token, nothing is said but where it leads', async () => {
  const { mine } = share();
  git(mine, 'config', 'remote.pushDefault', 'https://ann:t0ken@localhost:1/x.git');
  const { code, text } = await run(mine, promoting, pushing);
  assert.equal(code, 1, text);
  assert.match(text, /Could not fetch from https:\/\/localhost:1\/x\.git/);
  assert.doesNotMatch(text, /t0ken/);
});

test('behind what came in meanwhile, the promotion is recreated, and the branch follows; local edits stay', async () => {
  const { bare, mine, theirs } = share();
  others.edit(theirs);
  push(theirs);
  appendFileSync(join(mine, 'helm/api-node/values.yaml'), '# mine\n');
  write(mine, 'new.txt', 'mine\n');
  const before = dirt(mine);
  await demand(mine, promoting);
  assert.deepEqual(subjects(bare, 'main'), ['chore: promote images a1b2c3d', 'Meanwhile', 'Start']);
  assert.deepEqual([subjects(mine), dirt(mine)], [subjects(bare, 'main'), before]);
  assert.match(values(mine, 'core-go'), /tag: "a1b2c3d"[\s\S]*replicaCount: 4/);
});

test('the same promotion twice lands once', async () => {
  const { bare, mine, theirs } = share();
  await demand(theirs, ['promote', 'all', 'a1b2c3d']);
  await demand(mine, ['promote', 'all', 'a1b2c3d']);
  assert.deepEqual(subjects(bare, 'main'), ['chore: promote images a1b2c3d', 'Start']);
  assert.deepEqual([subjects(mine), dirt(mine)], [subjects(bare, 'main'), '']);
});

test('clones that promote at once all land, in order, none lost', async () => {
  const { bare, clones } = share(4);
  const words = [
    ['core-go', 'a1b2c3d'],
    ['core-go', 'b2c3d4e'],
    ['api-node', 'c3d4e5f'],
    ['all', 'd4e5f6a'],
  ] as const;
  await Promise.all(clones.map((clone, index) => demand(clone, ['promote', ...(words[index] ?? [])])));
  const made = words.map(([, tag]) => `chore: promote images ${tag}`);
  assert.deepEqual(subjects(bare, 'main').toSorted(), ['Start', ...made].toSorted());
  assert.deepEqual(tagsOf(bare, 'core-go').toSorted(), ['1df3b1f', 'a1b2c3d', 'b2c3d4e', 'd4e5f6a']);
  assert.equal(tagThere(bare), tagsOf(bare, 'core-go').at(-1));
  assert(tagsOf(bare, 'api-node').includes('c3d4e5f'));
  assert.equal(git(bare, 'rev-list', '--merges', 'main'), '');
});

test('what was committed before and not pushed goes along, if it is a promotion', async () => {
  const { bare, mine, theirs } = share();
  others.promotion(mine, 'a1b2c3d');
  others.promotion(theirs, 'b2c3d4e');
  push(theirs);
  await demand(mine, ['promote', 'api-node', 'a1b2c3d']);
  assert.deepEqual(tagsOf(bare, 'core-go'), ['1df3b1f', 'b2c3d4e', 'a1b2c3d']);
  others.promotion(mine, 'c3d4e5f');
  const text = await demand(mine, ['promote', 'core-go', 'c3d4e5f']);
  assert.match(text, /at c3d4e5f already[\s\S]*Pushed to origin\/main, which is at [0-9a-f]{7} now/);
  assert.equal(tagThere(bare), 'c3d4e5f');
});

test('other commits that are not pushed yet are not pushed by us', async () => {
  const { bare, mine } = share();
  commit(mine, 'Half done', { 'notes.txt': 'x\n' });
  const said = await run(mine, promoting, pushing);
  assert.equal(said.code, 1);
  assert.match(
    said.text,
    /\(Half done\) is not on origin\/main yet, and --push would take it along\.\ngit push it first/,
  );
  assert.deepEqual([subjects(mine)[0], subjects(bare, 'main'), dirt(mine)], ['Half done', ['Start'], '']);
});

test('a hold that was put elsewhere is respected, before anything is committed', async () => {
  const { bare, mine, theirs } = share();
  others.promotion(theirs, 'b2c3d4e');
  others.rollback(theirs);
  push(theirs);
  const said = await run(mine, ['promote', 'core-go', 'b2c3d4e'], pushing);
  assert.deepEqual([said.code, said.id], [1, 'on-hold']);
  assert.match(said.text, /core-go was put on hold elsewhere: b2c3d4e was rolled back by Test.*\ngit pull/);
  assert.deepEqual([subjects(mine), tagThere(bare)], [['Start'], '1df3b1f']);
});

test('a hold that was lifted here and is not pushed yet is none', async () => {
  const { bare, mine, theirs } = share();
  others.promotion(mine, 'b2c3d4e');
  others.rollback(mine);
  push(mine);
  pull(theirs);
  others.promotion(theirs, 'b2c3d4e', 'api-node');
  push(theirs);
  commit(mine, 'chore: release core-go', { [core]: withoutHolds(values(mine, 'core-go')) });
  await demand(mine, ['promote', 'core-go', 'c3d4e5f']);
  assert.deepEqual([holdsIn(textThere(bare)), tagThere(bare)], [[], 'c3d4e5f']);
  assert.deepEqual(subjects(bare, 'main').slice(0, 2), ['chore: promote images c3d4e5f', 'chore: release core-go']);
});

/** Has the bare repository take somebody else's commits in, just before the first push of ours. */
function racing(bare: string, theirs: string): void {
  const once = join(theirs, '.git', 'first');
  const script = `[ -e "${once}" ] && exit 0\n: > "${once}"\n${typed(theirs, 'git push --quiet origin main')}`;
  hook(bare, 'pre-receive', script, 'hooks');
}

test('a hold that lands in the same moment is respected too, and our commit is dropped', async () => {
  const { bare, mine, theirs } = share();
  others.promotion(theirs, 'b2c3d4e');
  others.rollback(theirs);
  racing(bare, theirs);
  const said = await run(mine, ['promote', 'core-go', 'c3d4e5f'], pushing);
  assert.equal(said.code, 1, said.text);
  assert.match(said.text, /core-go\/values\.yaml was put on hold meanwhile/);
  assert.deepEqual([subjects(mine), dirt(mine), tagThere(bare)], [['Start'], '', '1df3b1f']);
});

test('a promotion that lands in the same moment comes first, and ours behind it, which the workflow is told', async () => {
  const { bare, mine, theirs } = share();
  others.promotion(theirs, 'b2c3d4e');
  racing(bare, theirs);
  const flags = { push: true, 'from-ci': true, json: true };
  const { stdout } = await run(mine, ['promote', 'all', 'c3d4e5f'], { flags });
  const { commit: landed, pushed } = JSON.parse(stdout);
  assert.deepEqual(tagsOf(bare, 'core-go'), ['1df3b1f', 'b2c3d4e', 'c3d4e5f']);
  assert.deepEqual([landed, pushed], [git(bare, 'rev-parse', 'main'), 'origin/main']);
});

test('a rollback does not revert what was promoted meanwhile', async () => {
  const { bare, mine, theirs } = share();
  others.promotion(mine, 'a1b2c3d');
  push(mine);
  pull(theirs);
  others.promotion(theirs, 'b2c3d4e');
  push(theirs);
  const said = await run(mine, ['rollback', 'core-go'], pushing);
  assert.equal(said.code, 1);
  assert.match(said.text, /was promoted to b2c3d4e meanwhile, which a rollback from a1b2c3d must not revert/);
  assert.deepEqual([tagThere(bare), subjects(mine)[0], dirt(mine)], ['b2c3d4e', 'chore: promote images a1b2c3d', '']);
});

test('rollback and resume land behind promotions of other services, and edits of the same file', async () => {
  const { bare, mine, theirs } = share();
  others.promotion(mine, 'a1b2c3d');
  push(mine);
  pull(theirs);
  others.promotion(theirs, 'b2c3d4e', 'api-node');
  push(theirs);
  await demand(mine, ['rollback', 'core-go']);
  const held = holdsIn(textThere(bare)).map(({ tag }) => tag);
  assert.deepEqual(held, ['a1b2c3d']);
  pull(theirs);
  others.edit(theirs);
  push(theirs);
  await demand(mine, ['resume', 'core-go']);
  const text = textThere(bare);
  assert.deepEqual([holdsIn(text), /replicaCount: 4/.test(text), imageInValues(text)?.tag], [[], true, '1df3b1f']);
});

test('where a local edit is in the way of what came in, it stays, and the sentence says that the push is done', async () => {
  const { bare, mine, theirs } = share();
  commit(theirs, 'Meanwhile', { 'helm/api-node/values.yaml': `${values(theirs, 'api-node')}# theirs\n` });
  git(theirs, 'push', '--quiet');
  appendFileSync(join(mine, 'helm/api-node/values.yaml'), '# mine\n');
  const said = await run(mine, promoting, pushing);
  assert.equal(said.code, 1);
  assert.match(
    said.text,
    /It was pushed to origin\/main as [0-9a-f]{7}, but this branch could not follow: .*\n[\s\S]*git pull --rebase/,
  );
  assert.equal(tagThere(bare), 'a1b2c3d');
  assert.match(values(mine, 'api-node'), /# mine\n$/);
});

test('a remote that can not be reached is said before anything is committed', async () => {
  const { mine } = share();
  git(mine, 'remote', 'set-url', 'origin', join(base, 'nowhere.git'));
  const said = await run(mine, promoting, pushing);
  assert.equal(said.code, 1);
  assert.match(said.text, /Could not fetch from origin: .*nowhere\.git[\s\S]*git fetch origin/);
  assert.deepEqual([subjects(mine), dirt(mine)], [['Start'], '']);
});

test('without a remote, or with several and no upstream, what to type is said', async () => {
  const { mine } = share();
  git(mine, 'remote', 'remove', 'origin');
  const said = await run(mine, promoting, pushing);
  assert.match(said.text, /The branch main has nowhere to be pushed to\.\ngit push --set-upstream <remote> main/);
  assert.deepEqual(subjects(mine), ['Start']);
});

test('a branch without an upstream is pushed under its own name, one with another name to that', async () => {
  const { bare, mine } = share();
  git(mine, 'checkout', '--quiet', '--no-track', '-b', 'stage');
  assert.match(await demand(mine, promoting), /Pushed to origin\/stage/);
  git(mine, 'checkout', '--quiet', '-b', 'topic', '--track', 'origin/main');
  assert.match(await demand(mine, ['promote', 'core-go', 'b2c3d4e']), /Pushed to origin\/main/);
  assert.deepEqual(
    [tagThere(bare), git(bare, 'branch', '--format=%(refname:short)').split('\n')],
    ['b2c3d4e', ['main', 'stage']],
  );
});

test('--push goes where git push goes: pushRemote, pushDefault, push.default', async () => {
  const { bare, mine } = share();
  const fork = join(bare, '..', 'fork.git');
  git(mine, 'clone', '--quiet', '--bare', bare, fork);
  git(mine, 'remote', 'add', 'fork', fork);
  git(mine, 'config', 'remote.pushDefault', 'fork');
  assert.match(await demand(mine, promoting), /Pushed to fork\/main/);
  assert.deepEqual([tagThere(bare), tagThere(fork)], ['1df3b1f', 'a1b2c3d']);
  git(mine, 'config', 'branch.main.pushRemote', 'origin');
  assert.match(await demand(mine, ['promote', 'core-go', 'b2c3d4e']), /Pushed to origin\/main/);
  assert.deepEqual([tagThere(bare), tagThere(fork)], ['b2c3d4e', 'a1b2c3d']);
  git(mine, 'config', 'branch.main.pushRemote', fork);
  await demand(mine, ['promote', 'core-go', 'c3d4e5f']);
  assert.deepEqual([tagThere(bare), tagThere(fork)], ['b2c3d4e', 'c3d4e5f']);
  git(mine, 'checkout', '--quiet', '-b', 'topic', '--track', 'origin/main');
  git(mine, 'config', 'push.default', 'current');
  git(mine, 'config', '--unset', 'remote.pushDefault');
  assert.match(await demand(mine, ['promote', 'api-node', 'c3d4e5f']), /Pushed to origin\/topic/);
});

test('the branch that was looked at is pushed and reported, if another one is checked out meanwhile', async () => {
  const { bare, mine } = share();
  hook(mine, 'pre-push', typed(mine, 'git switch --quiet --create other'));
  const said = await run(mine, promoting, { flags: { push: true, json: true } });
  assert.equal(said.code, 0, said.text);
  const { commit: landed, pushed } = JSON.parse(said.stdout) as { commit: string; pushed: string };
  assert.deepEqual([landed, pushed], [git(bare, 'rev-parse', 'main'), 'origin/main']);
  assert.equal(git(mine, 'rev-parse', 'main'), landed);
  assert.deepEqual(
    [git(mine, 'rev-parse', 'other'), git(bare, 'branch', '--list', 'other')],
    [git(mine, 'rev-parse', 'main~1'), ''],
  );
});

test('only what Git says of a race is tried again, not a refusal that names a lock or a block', async () => {
  const { bare, mine } = share();
  const pushes = join(bare, 'pushes.log');
  git(bare, 'config', 'receive.procReceiveRefs', 'refs/heads/main');
  // Answers as gitprotocol-pack has it: the version, and what became of the ref.
  const refusal = 'ng refs/heads/main blocked: the branch is locked';
  const line = (text: string) => `${(text.length + 4).toString(16).padStart(4, '0')}${text}`;
  const answer = `${line('version=1')}0000${line(refusal)}0000`;
  hook(bare, 'proc-receive', `echo push >> "${pushes}"\nprintf '${answer}'\ncat > /dev/null`, 'hooks');
  const said = await run(mine, promoting, pushing);
  assert.equal(said.code, 1);
  assert.match(said.text, /It is committed here, but not pushed to origin\/main: error: failed to push/);
  assert.equal(readFileSync(pushes, 'utf8'), 'push\n');
});

test('a push that is refused says why, in the words of the other side, and what is committed stays', async () => {
  for (const [meanwhile, expected] of [
    ['true', /not pushed to origin\/main: .*main is protected.*git push, once that is settled/s],
    ['git commit --quiet --allow-empty -m Mine', /main moved from [0-9a-f]{7} to .*not pushed.*main is protected/s],
    [`echo "# mine" >> ${core}`, /It is committed here, .*main is protected.*edited meanwhile and stays/s],
  ] as const) {
    const { bare, mine } = share();
    hook(bare, 'pre-receive', `${typed(mine, meanwhile)}\necho "main is protected" >&2\nexit 1`, 'hooks');
    const said = await run(mine, promoting, pushing);
    assert.equal(said.code, 1);
    assert.match(said.text, expected);
    const moved = /moved/.test(said.text);
    assert.equal(subjects(mine)[0], moved ? 'Mine' : 'chore: promote images a1b2c3d');
    assert.equal(/git reset --keep/.test(said.text), !moved, 'it would take back what is not ours');
  }
});

for (const [what, how] of [
  ['a shallow clone', ['--depth=1']],
  ['a clone that borrows its objects', ['--shared', '--no-local']],
] as const) {
  test(`${what} promotes, lands behind others, and rolls back what it knows of`, async () => {
    const { bare, theirs } = share();
    const mine = join(base, what);
    others.promotion(theirs, '0000001');
    push(theirs);
    git(base, 'clone', '--quiet', ...how, what === 'a shallow clone' ? `file://${bare}` : bare, mine);
    const shallow = what === 'a shallow clone';
    const said = await run(mine, ['rollback', 'core-go'], { flags: { 'dry-run': true } });
    assert.deepEqual([said.code, /git fetch --unshallow/.test(said.text)], shallow ? [1, true] : [0, false]);
    others.edit(theirs);
    push(theirs);
    await demand(mine, promoting);
    assert.deepEqual([tagThere(bare), tagOf(mine), git(mine, 'status', '--porcelain')], ['a1b2c3d', 'a1b2c3d', '']);
    const { text } = await run(mine, ['history', 'core-go']);
    assert.equal(/a1b2c3d[\s\S]*0000001[\s\S]*This clone is shallow/.test(text), shallow, text);
    await demand(mine, ['rollback', 'core-go']);
    assert.equal(tagThere(bare), '0000001');
    git(mine, 'fsck', '--connectivity-only');
  });
}
