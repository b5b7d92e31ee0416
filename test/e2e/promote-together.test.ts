import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { chownSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { imageInValues } from '../../scripts/repository/image-values.ts';
import { inCampaign } from './campaign.ts';
import { demand, newPerson, type Person, start } from './support.ts';

/** Where the bare repositories of a server lie that answers as https://github.com, and a token that may push to them. */
const repositories = process.env.E2E_GITHUB_REPOSITORIES;
const token = process.env.E2E_OTHER_GITHUB_TOKEN;
const missing = [...(repositories ? [] : ['E2E_GITHUB_REPOSITORIES']), ...(token ? [] : ['E2E_OTHER_GITHUB_TOKEN'])];
const owner = `e2e-${randomUUID().slice(0, 8)}`;
const url = `https://github.com/${owner}/ops.git`;
const file = 'helm/core-go/values.yaml';

describe('two clones that promote at once', { skip: missing.length > 0 && `not set: ${missing.join(', ')}` }, () => {
  const bare = join(repositories ?? '', owner, 'ops.git');
  let person: Person;
  let clones: string[];

  before(async () => {
    // No cluster is made: who follows the branch is elsewhere.
    person = await newPerson({ cluster: 'e2e-promote-together', ports: { http: 28580, https: 28943 } });
    const original = fileURLToPath(new URL('../..', import.meta.url));
    const quietly = { cwd: '/', env: { PATH: process.env.PATH ?? '', HOME: '/' } };
    await demand(start(['git', 'clone', '--quiet', '--bare', '--no-hardlinks', original, bare], quietly));
    await demand(start(['git', '-C', bare, 'branch', '--force', 'main', 'HEAD'], quietly));
    await demand(start(['git', '-C', bare, 'symbolic-ref', 'HEAD', 'refs/heads/main'], quietly));
    // As a person has it: the password is in the store of Git's own helper, and in no command.
    const store = join(person.home, '.git-credentials');
    const { uid, gid } = statSync(person.home);
    writeFileSync(store, `https://octocat:${token}@github.com\n`, { mode: 0o600 });
    chownSync(store, uid, gid);
    await demand(person.run(['git', 'config', '--global', 'credential.helper', 'store']));
    clones = ['one', 'two'].map((name) => join(person.home, `clone ${name}`));
    for (const clone of clones) {
      await demand(person.run(['git', 'clone', '--quiet', url, clone]));
      await demand(person.run(['ln', '-s', join(person.clone, 'node_modules'), join(clone, 'node_modules')]));
    }
  });
  after(async () => {
    await person?.remove();
    if (repositories) rmSync(join(repositories, owner), { recursive: true, force: true });
  });

  const npm = (clone: string | undefined, name: string, ...args: string[]) =>
    person.run(['npm', 'run', '--silent', name, '--', ...args], {
      cwd: clone ?? '',
      env: { GHCR_CREDENTIALS: 'none' },
    });
  const log = async (...args: string[]) => {
    await demand(person.run(['git', 'fetch', '--quiet'], { cwd: clones[0] ?? '' }));
    return (await demand(person.run(['git', 'log', ...args], { cwd: clones[0] ?? '' }))).stdout.trim().split('\n');
  };
  const there = async () =>
    (await demand(person.run(['git', 'show', `origin/main:${file}`], { cwd: clones[0] ?? '' }))).stdout;

  for (const [round, [one, two]] of [
    [
      ['core-go', 'a1b2c3d'],
      ['core-go', 'b2c3d4e'],
    ],
    [
      ['all', 'c3d4e5f'],
      ['core-go', 'd4e5f6a'],
    ],
    [
      ['api-node', 'e5f6a7b'],
      ['worker-python', 'e5f6a7b'],
    ],
  ].entries() as Iterable<[number, [[string, string], [string, string]]]>) {
    const declared = round === 1 ? it : inCampaign;
    declared(`both land, in order, none lost: ${one.join(' ')} and ${two.join(' ')}`, async (t) => {
      const before = (await log('--format=%H', 'origin/main')).length;
      const ran = await Promise.all([
        npm(clones[0], 'promote', ...one, '--push'),
        npm(clones[1], 'promote', ...two, '--push', ...(round === 1 ? ['--from-ci'] : [])),
      ]);
      for (const { code, text } of ran) assert.equal(code, 0, text);
      const subjects = await log('--format=%s', 'origin/main');
      assert.equal(subjects.length, before + 2);
      assert.deepEqual(
        subjects.slice(0, 2).toSorted(),
        [one, two].map(([, tag]) => `chore: promote images ${tag}`).toSorted(),
      );
      assert.deepEqual(await log('--merges', '--format=%H', 'origin/main~2..origin/main'), ['']);
      // Each commit has the tag that it says: the later one was made on top of the earlier one.
      for (const revision of ['origin/main', 'origin/main~1']) {
        const [subject = ''] = await log('-1', '--format=%s', revision, '--', file);
        const shown = await demand(person.run(['git', 'show', `${revision}:${file}`], { cwd: clones[0] ?? '' }));
        assert.equal(subject, `chore: promote images ${imageInValues(shown.stdout)?.tag}`);
      }
      t.diagnostic(ran.map(({ seconds }) => `${seconds.toFixed(1)} s`).join(' and '));
    });
  }

  it('a hold that one of them pushed stops the other, in a sentence', async () => {
    await demand(person.run(['git', 'pull', '--quiet', '--rebase'], { cwd: clones[0] ?? '' }));
    await demand(npm(clones[0], 'rollback', 'core-go', '--push'));
    const ran = await npm(clones[1], 'promote', 'core-go', 'f6a7b8c', '--push');
    assert.equal(ran.code, 1, ran.text);
    assert.match(ran.stderr, /core-go was put on hold elsewhere: .* was rolled back by A Person/);
    await log('-1');
    assert.match(await there(), /# hold:/);
  });

  it('without a password nobody is asked for one, and it is said in the words of Git', async () => {
    rmSync(join(person.home, '.git-credentials'));
    // By the command's earlier name, which goes on working: resume.
    await demand(npm(clones[0], 'release', 'core-go'));
    const ran = await npm(clones[0], 'promote', 'core-go', 'a7b8c9d', '--push');
    assert.equal(ran.code, 1, ran.text);
    assert.match(ran.stderr, /could not read Username|terminal prompts disabled/);
    assert.doesNotMatch(ran.text, new RegExp(token ?? '-'));
  });
});
