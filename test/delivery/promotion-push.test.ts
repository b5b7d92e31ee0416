// That pushed promotions land behind those of others, in order and none lost, on real repositories.
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { holdsIn } from '../../scripts/repository/hold.ts';
import { imageInValues } from '../../scripts/repository/image-values.ts';
import { temporaryFolder } from '../support/fakes.ts';
import { createPlatform, dirt, type RunOptions, run, subjects, values } from '../support/promotion.ts';
import { commit, git, write } from '../support/repository.ts';

const base = await temporaryFolder();
let remotes = 0;
const core = 'helm/core-go/values.yaml';
const pushing: RunOptions = { flags: { push: true } };

interface Shared {
  /** The bare repository. */
  bare: string;
  /** All clones of it, the first and the second of them by name. */
  clones: string[];
  mine: string;
  theirs: string;
}

const first = { bare: join(base, 'bare.git'), clone: join(base, 'clone') };
git(createPlatform(join(base, 'seed')), 'clone', '--quiet', '--bare', '.', first.bare);
git(base, 'clone', '--quiet', first.bare, first.clone);

/** A bare repository with the platform in it, and as many clones of it: copies of the first ones. */
function share(count = 2): Shared {
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

/** The tag of a service in the bare repository's main. */
const tagThere = (bare: string, service = 'core-go') =>
  imageInValues(git(bare, 'show', `main:helm/${service}/values.yaml`))?.tag;
const tagsOf = (bare: string, service: string) =>
  git(bare, 'log', '--reverse', '--format=%H', 'main', '--', `helm/${service}/values.yaml`)
    .split('\n')
    .map((sha) => imageInValues(git(bare, 'show', `${sha}:helm/${service}/values.yaml`))?.tag);

async function demand(folder: string, words: [string, ...string[]], options = pushing): Promise<string> {
  const said = await run(folder, words, options);
  assert.equal(said.code, 0, said.text);
  return said.text;
}

test('--push pushes the commit, and only that', async () => {
  const { bare, mine } = share();
  const text = await demand(mine, ['promote', 'core-go', 'a1b2c3d']);
  assert.match(text, /: chore: promote images a1b2c3d\nPushed to origin\/main\./);
  assert.deepEqual([tagThere(bare), git(bare, 'rev-parse', 'main')], ['a1b2c3d', git(mine, 'rev-parse', 'HEAD')]);
});

test('of an address with a token, nothing is said but where it leads', async () => {
  const { mine } = share();
  git(mine, 'config', 'remote.pushDefault', 'https://ann:t0ken@localhost:1/x.git');
  const { code, text } = await run(mine, ['promote', 'core-go', 'a1b2c3d'], pushing);
  assert.equal(code, 1, text);
  assert.match(text, /Could not fetch from https:\/\/localhost:1\/x\.git/);
  assert.doesNotMatch(text, /t0ken/);
});

test('behind what came in meanwhile, the promotion is made anew, and the branch follows; local edits stay', async () => {
  const { bare, mine, theirs } = share();
  commit(theirs, 'Meanwhile', {
    'notes.txt': 'theirs\n',
    [core]: values(theirs, 'core-go').replace('replicaCount: 3', 'replicaCount: 4'),
  });
  git(theirs, 'push', '--quiet');
  appendFileSync(join(mine, 'helm/api-node/values.yaml'), '# mine\n');
  write(mine, 'new.txt', 'mine\n');
  const before = dirt(mine);
  await demand(mine, ['promote', 'core-go', 'a1b2c3d']);
  assert.deepEqual(subjects(bare, 'main'), ['chore: promote images a1b2c3d', 'Meanwhile', 'Start']);
  assert.deepEqual([subjects(mine), dirt(mine)], [subjects(bare, 'main'), before]);
  assert.match(values(mine, 'core-go'), /tag: "a1b2c3d"[\s\S]*replicaCount: 4/);
});

test('of the same service, both promotions land, and the later one counts', async () => {
  const { bare, mine, theirs } = share();
  await demand(theirs, ['promote', 'core-go', 'a1b2c3d']);
  await demand(mine, ['promote', 'core-go', 'b2c3d4e']);
  assert.deepEqual(tagsOf(bare, 'core-go'), ['1df3b1f', 'a1b2c3d', 'b2c3d4e']);
  assert.equal(git(mine, 'rev-parse', 'HEAD'), git(bare, 'rev-parse', 'main'));
});

test('the same promotion twice lands once', async () => {
  const { bare, mine, theirs } = share();
  await demand(theirs, ['promote', 'all', 'a1b2c3d']);
  await demand(mine, ['promote', 'all', 'a1b2c3d']);
  assert.deepEqual(subjects(bare, 'main'), ['chore: promote images a1b2c3d', 'Start']);
  assert.deepEqual([subjects(mine), dirt(mine)], [subjects(bare, 'main'), '']);
});

test('two clones that promote at once both land, in order, none lost', async () => {
  for (const [first, second] of [
    [
      ['core-go', 'a1b2c3d'],
      ['core-go', 'b2c3d4e'],
    ],
    [
      ['core-go', 'c3d4e5f'],
      ['api-node', 'c3d4e5f'],
    ],
    [
      ['all', 'd4e5f6a'],
      ['core-go', 'e5f6a7b'],
    ],
  ] as [[string, string], [string, string]][]) {
    const { bare, mine, theirs } = share();
    await Promise.all([demand(mine, ['promote', ...first]), demand(theirs, ['promote', ...second])]);
    assert.deepEqual(
      subjects(bare, 'main').toSorted(),
      [`chore: promote images ${first[1]}`, `chore: promote images ${second[1]}`, 'Start'].toSorted(),
    );
    const last = tagsOf(bare, 'core-go').at(-1);
    assert.equal(tagThere(bare), last);
    for (const [service, tag] of [first, second])
      if (service !== 'all') assert(tagsOf(bare, service).includes(tag), `${service} ${tag}`);
    assert.equal(git(bare, 'rev-list', '--merges', 'main'), '');
  }
});

test('many at once, too', async () => {
  const { bare, clones } = share(4);
  const tags = clones.map((_, index) => `a1b2c3${index}`);
  await Promise.all(clones.map((clone, index) => demand(clone, ['promote', 'core-go', tags[index] ?? ''])));
  assert.deepEqual(tagsOf(bare, 'core-go').toSorted(), ['1df3b1f', ...tags].toSorted());
});

test('what was committed before and not pushed goes along, if it is a promotion', async () => {
  const { bare, mine, theirs } = share();
  await demand(mine, ['promote', 'core-go', 'a1b2c3d'], {});
  await demand(theirs, ['promote', 'core-go', 'b2c3d4e']);
  await demand(mine, ['promote', 'api-node', 'a1b2c3d']);
  assert.deepEqual(tagsOf(bare, 'core-go'), ['1df3b1f', 'b2c3d4e', 'a1b2c3d']);
  await demand(mine, ['promote', 'core-go', 'c3d4e5f'], {});
  const text = await demand(mine, ['promote', 'core-go', 'c3d4e5f']);
  assert.match(text, /at c3d4e5f already[\s\S]*Pushed to origin\/main, which is at [0-9a-f]{7} now/);
  assert.equal(tagThere(bare), 'c3d4e5f');
});

test('other commits that are not pushed yet are not pushed by us', async () => {
  const { bare, mine } = share();
  commit(mine, 'Half done', { 'notes.txt': 'x\n' });
  const said = await run(mine, ['promote', 'core-go', 'a1b2c3d'], pushing);
  assert.equal(said.code, 1);
  assert.match(
    said.text,
    /\(Half done\) is not on origin\/main yet, and --push would take it along\.\ngit push it first/,
  );
  assert.deepEqual([subjects(mine)[0], subjects(bare, 'main'), dirt(mine)], ['Half done', ['Start'], '']);
});

test('a hold that was put elsewhere is respected, before anything is committed', async () => {
  const { bare, mine, theirs } = share();
  await demand(theirs, ['promote', 'core-go', 'b2c3d4e']);
  await demand(theirs, ['rollback', 'core-go']);
  const said = await run(mine, ['promote', 'core-go', 'b2c3d4e'], pushing);
  assert.equal(said.code, 1);
  assert.match(said.text, /core-go was put on hold elsewhere: b2c3d4e was rolled back by Test.*\ngit pull/);
  assert.deepEqual([subjects(mine), tagThere(bare)], [['Start'], '1df3b1f']);
});

test('a hold that was lifted here and is not pushed yet is none', async () => {
  const { bare, mine, theirs } = share();
  await demand(mine, ['promote', 'core-go', 'b2c3d4e']);
  await demand(mine, ['rollback', 'core-go']);
  git(theirs, 'pull', '--quiet');
  await demand(theirs, ['promote', 'api-node', 'b2c3d4e']);
  await demand(mine, ['resume', 'core-go'], {});
  await demand(mine, ['promote', 'core-go', 'c3d4e5f']);
  assert.deepEqual([holdsIn(git(bare, 'show', `main:${core}`)), tagThere(bare)], [[], 'c3d4e5f']);
  assert.deepEqual(subjects(bare, 'main').slice(0, 2), ['chore: promote images c3d4e5f', 'chore: release core-go']);
});

/** Has the bare repository take somebody else's commits in, just before the first push of ours. */
function racing(bare: string, theirs: string): void {
  const hook = join(theirs, '.git', 'first');
  write(
    bare,
    'hooks/pre-receive',
    `#!/bin/sh\n[ -e "${hook}" ] && exit 0\n: > "${hook}"\nunset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_DIR\ngit -C "${theirs}" push --quiet origin main\n`,
  );
  chmodSync(join(bare, 'hooks', 'pre-receive'), 0o755);
}

test('a hold that lands in the same moment is respected too, and our commit is taken back', async () => {
  const { bare, mine, theirs } = share();
  await demand(theirs, ['promote', 'core-go', 'b2c3d4e'], {});
  await demand(theirs, ['rollback', 'core-go'], {});
  racing(bare, theirs);
  const said = await run(mine, ['promote', 'core-go', 'c3d4e5f'], pushing);
  assert.equal(said.code, 1, said.text);
  assert.match(said.text, /core-go\/values\.yaml was put on hold meanwhile/);
  assert.deepEqual([subjects(mine), dirt(mine), tagThere(bare)], [['Start'], '', '1df3b1f']);
});

test('a promotion that lands in the same moment comes first, and ours behind it', async () => {
  const { bare, mine, theirs } = share();
  await demand(theirs, ['promote', 'core-go', 'b2c3d4e'], {});
  racing(bare, theirs);
  await demand(mine, ['promote', 'core-go', 'c3d4e5f']);
  assert.deepEqual(tagsOf(bare, 'core-go'), ['1df3b1f', 'b2c3d4e', 'c3d4e5f']);
});

test('a rollback does not undo what was promoted meanwhile', async () => {
  const { bare, mine, theirs } = share();
  await demand(mine, ['promote', 'core-go', 'a1b2c3d']);
  git(theirs, 'pull', '--quiet');
  await demand(theirs, ['promote', 'core-go', 'b2c3d4e']);
  const said = await run(mine, ['rollback', 'core-go'], pushing);
  assert.equal(said.code, 1);
  assert.match(said.text, /was promoted to b2c3d4e meanwhile, which a rollback from a1b2c3d must not revert/);
  assert.deepEqual([tagThere(bare), subjects(mine)[0], dirt(mine)], ['b2c3d4e', 'chore: promote images a1b2c3d', '']);
});

test('rollback and release land behind promotions of other services, and edits of the same file', async () => {
  const { bare, mine, theirs } = share();
  await demand(mine, ['promote', 'core-go', 'a1b2c3d']);
  git(theirs, 'pull', '--quiet');
  await demand(theirs, ['promote', 'api-node', 'b2c3d4e']);
  await demand(mine, ['rollback', 'core-go']);
  assert.deepEqual(
    holdsIn(git(bare, 'show', `main:${core}`)).map(({ tag }) => tag),
    ['a1b2c3d'],
  );
  git(theirs, 'pull', '--quiet', '--rebase');
  commit(theirs, 'Edit', { [core]: values(theirs, 'core-go').replace('replicaCount: 3', 'replicaCount: 4') });
  git(theirs, 'push', '--quiet');
  await demand(mine, ['resume', 'core-go']);
  const text = git(bare, 'show', `main:${core}`);
  assert.deepEqual([holdsIn(text), /replicaCount: 4/.test(text), imageInValues(text)?.tag], [[], true, '1df3b1f']);
});

test('where a local edit is in the way of what came in, it stays, and the sentence says that the push is done', async () => {
  const { bare, mine, theirs } = share();
  commit(theirs, 'Meanwhile', { 'helm/api-node/values.yaml': `${values(theirs, 'api-node')}# theirs\n` });
  git(theirs, 'push', '--quiet');
  appendFileSync(join(mine, 'helm/api-node/values.yaml'), '# mine\n');
  const said = await run(mine, ['promote', 'core-go', 'a1b2c3d'], pushing);
  assert.equal(said.code, 1);
  assert.match(
    said.text,
    /It was pushed to origin\/main as [0-9a-f]{7}, but this branch could not follow: .*\n[\s\S]*git pull --rebase/,
  );
  assert.equal(tagThere(bare), 'a1b2c3d');
  assert.match(values(mine, 'api-node'), /# mine\n$/);
});

test('a push that is refused says why, in the words of the other side, and what is committed stays', async () => {
  const { bare, mine } = share();
  write(bare, 'hooks/pre-receive', '#!/bin/sh\necho "main is protected" >&2\nexit 1\n');
  chmodSync(join(bare, 'hooks', 'pre-receive'), 0o755);
  const said = await run(mine, ['promote', 'core-go', 'a1b2c3d'], pushing);
  assert.equal(said.code, 1);
  assert.match(
    said.text,
    /It is committed here, but not pushed to origin\/main: .*main is protected[\s\S]*git push, once that is settled/,
  );
  assert.equal(subjects(mine)[0], 'chore: promote images a1b2c3d');
});

test('a remote that can not be reached is said before anything is committed', async () => {
  const { mine } = share();
  git(mine, 'remote', 'set-url', 'origin', join(base, 'nowhere.git'));
  const said = await run(mine, ['promote', 'core-go', 'a1b2c3d'], pushing);
  assert.equal(said.code, 1);
  assert.match(said.text, /Could not fetch from origin: .*nowhere\.git[\s\S]*git fetch origin/);
  assert.deepEqual([subjects(mine), dirt(mine)], [['Start'], '']);
});

test('without a remote, or with several and no upstream, what to type is said', async () => {
  const { mine } = share();
  git(mine, 'remote', 'remove', 'origin');
  const said = await run(mine, ['promote', 'core-go', 'a1b2c3d'], pushing);
  assert.match(said.text, /The branch main has nowhere to be pushed to\.\ngit push --set-upstream <remote> main/);
  assert.deepEqual(subjects(mine), ['Start']);
});

test('a branch without an upstream is pushed under its own name, one with another name to that', async () => {
  const { bare, mine } = share();
  git(mine, 'checkout', '--quiet', '--no-track', '-b', 'stage');
  assert.match(await demand(mine, ['promote', 'core-go', 'a1b2c3d']), /Pushed to origin\/stage/);
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
  assert.match(await demand(mine, ['promote', 'core-go', 'a1b2c3d']), /Pushed to fork\/main/);
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
  write(mine, '.git/hooks/pre-push', `#!/bin/sh\nunset GIT_DIR\ngit -C "${mine}" switch --quiet --create other\n`);
  chmodSync(join(mine, '.git/hooks/pre-push'), 0o755);
  const said = await run(mine, ['promote', 'core-go', 'a1b2c3d'], { flags: { push: true, json: true } });
  assert.equal(said.code, 0, said.text);
  const { commit: landed, pushed } = JSON.parse(said.stdout) as { commit: string; pushed: string };
  assert.deepEqual([landed, pushed], [git(bare, 'rev-parse', 'main'), 'origin/main']);
  assert.equal(git(mine, 'rev-parse', 'main'), landed);
  assert.deepEqual(
    [git(mine, 'rev-parse', 'other'), git(bare, 'branch', '--list', 'other')],
    [git(mine, 'rev-parse', 'main~1'), ''],
  );
});

test('in CI the workflow is told the commit that landed', async () => {
  const { bare, mine, theirs } = share();
  await demand(theirs, ['promote', 'core-go', 'b2c3d4e']);
  const said = await run(mine, ['promote', 'all', 'a1b2c3d'], { flags: { push: true, 'from-ci': true, json: true } });
  assert.equal(said.code, 0, said.text);
  const { commit: landed, pushed } = JSON.parse(said.stdout) as { commit: string; pushed: string };
  assert.deepEqual([landed, pushed], [git(bare, 'rev-parse', 'main'), 'origin/main']);
});

test('only what Git says of a race is tried again, not a refusal that names a lock or a block', async () => {
  const { bare, mine } = share();
  const pushes = join(bare, 'pushes.log');
  git(bare, 'config', 'receive.procReceiveRefs', 'refs/heads/main');
  // Answers as gitprotocol-pack has it: the version, and what became of the ref.
  const refusal = 'ng refs/heads/main blocked: the branch is locked';
  const line = (text: string) => `${(text.length + 4).toString(16).padStart(4, '0')}${text}`;
  const answer = `${line('version=1')}0000${line(refusal)}0000`;
  write(bare, 'hooks/proc-receive', `#!/bin/sh\necho push >> "${pushes}"\nprintf '${answer}'\ncat > /dev/null\n`);
  chmodSync(join(bare, 'hooks', 'proc-receive'), 0o755);
  const said = await run(mine, ['promote', 'core-go', 'a1b2c3d'], pushing);
  assert.equal(said.code, 1);
  assert.match(said.text, /It is committed here, but not pushed to origin\/main: error: failed to push/);
  assert.equal(readFileSync(pushes, 'utf8'), 'push\n');
});

test('a push that is refused says why also where the branch moved meanwhile, or a file was edited', async () => {
  for (const [meanwhile, expected] of [
    [
      'git commit --quiet --allow-empty -m Mine',
      /main moved from [0-9a-f]{7} to [0-9a-f]{7} meanwhile, so nothing was changed\. .*not pushed.*main is protected/s,
    ],
    [
      `echo "# mine" >> ${core}`,
      /It is committed here, but not pushed.*main is protected.*edited meanwhile and stays/s,
    ],
  ] as const) {
    const { bare, mine } = share();
    const leave = `unset GIT_DIR GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\ncd "${mine}"`;
    const refuse = 'echo "main is protected" >&2\nexit 1';
    write(bare, 'hooks/pre-receive', `#!/bin/sh\n${leave}\n${meanwhile}\n${refuse}\n`);
    chmodSync(join(bare, 'hooks', 'pre-receive'), 0o755);
    const said = await run(mine, ['promote', 'core-go', 'a1b2c3d'], pushing);
    assert.equal(said.code, 1);
    assert.match(said.text, expected);
    assert.equal(/git reset --keep/.test(said.text), !/moved/.test(said.text), 'it would take back what is not ours');
  }
});
