import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { History } from '../../scripts/delivery/promote/history.ts';
import type { DeliveryResult } from '../../scripts/delivery/promote/result.ts';
import { viewOf } from './cluster-view.ts';
import { demand, newPerson, type Person } from './support.ts';
import { ask, type Door, type Stream, steadyStream } from './traffic.ts';

const cluster = 'e2e-promote';
const ports = { http: 28480, https: 28843 };
const file = 'helm/core-go/values.yaml';
/** Reads the services' images. Without it the same is shown with stand-ins. */
const token = process.env.E2E_GITHUB_TOKEN;

/**
 * One build after another, in order: each step starts from what the one before it left. In a cluster of its own: pods that the
 * autoscaler added for other tests would be rolled out as well, while no request may be lost.
 */
describe(`a person who promotes ${token ? 'real images' : 'stand-ins'}`, () => {
  let person: Person;
  let door: Door;
  let stream: Stream;
  const git = async (...args: string[]) => (await demand(person.run(['git', ...args]))).stdout.trim();
  const version = async () => {
    const { upstream } = JSON.parse((await ask(door, '/info')).body) as { upstream: { version: string } };
    return upstream.version;
  };
  const values = () => readFileSync(join(person.clone, file), 'utf8');
  const perSecond = 20;
  /** Nobody who asked meanwhile went without an answer, also while the old pods drained and ended. */
  const undisturbed = async () => {
    await viewOf(person, cluster).noneTerminates();
    const { answered, lost } = await stream.stop();
    assert.deepEqual([lost, answered > 10], [[], true], `${answered} answered`);
    return answered;
  };

  before(async () => {
    const env: Record<string, string> = token ? { GITHUB_TOKEN: token } : { GHCR_CREDENTIALS: 'none' };
    person = await newPerson({ cluster, ports, env });
    await demand(person.npm('up'));
    const { certificate } = JSON.parse((await demand(person.npm('trust', '--json'))).stdout);
    door = { port: ports.https, host: 'api.localhost', ca: readFileSync(certificate, 'utf8') };
  });
  after(async () => {
    await stream?.stop();
    await person?.remove();
  });

  it('gets a commit of one line and a receipt, and the new build answers', async (t) => {
    stream = steadyStream(door, '/info', perSecond);
    const ran = await demand(person.npm('promote', 'core-go', 'a1b2c3d'));
    assert.match(ran.stdout, /core-go: 1df3b1f → a1b2c3d\nCommitted as [0-9a-f]{7}: chore: promote images a1b2c3d\n/);
    assert.match(ran.stdout, /^core-go: [0-9a-f]{7} chore: promote images a1b2c3d$/m);
    assert.equal(await version(), 'a1b2c3d');
    assert.equal(await git('show', '--numstat', '--format=%s'), `chore: promote images a1b2c3d\n\n1\t1\t${file}`);
    if (token) assert.match(ran.stderr, /core-go:a1b2c3d is there, for linux\//);
    else assert.match(ran.stderr, /core-go:a1b2c3d is a stand-in/);
    t.diagnostic(`promote: ${ran.seconds.toFixed(1)} s, ${await undisturbed()} requests meanwhile, none lost`);
  });

  it('promotes all at once, and gets a receipt for each; nobody noticed anything', async (t) => {
    stream = steadyStream(door, '/info', perSecond);
    const ran = await demand(person.npm('promote', 'all', 'b2c3d4e', '--json'));
    const { changes, receipts, commit } = JSON.parse(ran.stdout) as DeliveryResult;
    assert.deepEqual(
      changes.map(({ service }) => service),
      ['api-node', 'core-go', 'worker-python'],
    );
    assert.deepEqual(
      receipts.map(({ application, revision, image }) => [application, revision, image?.standIn]).sort(),
      changes.map(({ service }) => [service, commit, token === undefined]),
    );
    assert.equal(await version(), 'b2c3d4e');
    t.diagnostic(`promote all: ${ran.seconds.toFixed(1)} s, ${await undisturbed()} requests meanwhile, none lost`);
  });

  it('is refused a build that does not exist, before anything is committed', {
    skip: !token && 'E2E_GITHUB_TOKEN is not set',
  }, async () => {
    const head = await git('rev-parse', 'HEAD');
    const ran = await person.npm('promote', 'core-go', 'fffffff');
    assert.equal(ran.code, 1, ran.text);
    assert.match(ran.stderr, /core-go:fffffff does not exist\./);
    assert.deepEqual([await git('rev-parse', 'HEAD'), await git('status', '--porcelain')], [head, '']);
  });

  it('is told which probe fails of a build that never gets ready, and the old pods go on serving', async (t) => {
    stream = steadyStream(door, '/info', perSecond);
    const ran = await person.npm('promote', 'core-go', 'broken');
    assert.equal(ran.code, 1, ran.text);
    assert.match(ran.stderr, /[Ss]tartup probe|startupProbe/);
    assert.match(ran.stderr, /500/);
    assert.match(ran.stderr, /npm run rollback -- core-go/);
    assert.equal(await version(), 'b2c3d4e');
    t.diagnostic(`told of the broken build after ${ran.seconds.toFixed(1)} s:\n${ran.stderr}`);
  });

  it('rolls back in seconds; nobody noticed anything', async (t) => {
    const ran = await demand(person.npm('rollback', 'core-go'));
    assert.match(
      ran.stdout,
      /core-go: broken → b2c3d4e\nCommitted as [0-9a-f]{7}: Revert "chore: promote images broken"/,
    );
    assert.equal(await version(), 'b2c3d4e');
    assert.match(values(), /# hold: broken was rolled back by A Person, /);
    t.diagnostic(
      `rollback: ${ran.seconds.toFixed(1)} s, ${await undisturbed()} requests since the broken build, none lost`,
    );
  });

  it('is refused on hold, by hand and in CI, until it is released', async () => {
    for (const words of [
      ['core-go', 'broken'],
      ['all', 'a1b2c3d'],
      ['core-go', 'a1b2c3d', '--from-ci'],
    ]) {
      const ran = await person.npm('promote', ...words);
      assert.equal(ran.code, 1, ran.text);
      assert.match(
        ran.stderr,
        /core-go is on hold.*broken was rolled back by A Person[\s\S]*npm run resume -- core-go/,
      );
    }
    assert.equal((await person.npm('validate', 'promotion')).code, 0);
    await demand(person.npm('resume', 'core-go'));
    assert.doesNotMatch(values(), /hold:/);
    await demand(person.npm('promote', 'core-go', 'a1b2c3d'));
    assert.equal(await version(), 'a1b2c3d');
  });

  it('goes back further to a build of its choice', async (t) => {
    const ran = await demand(person.npm('rollback', 'core-go', '--to', '1df3b1f'));
    assert.equal(await version(), '1df3b1f');
    t.diagnostic(`rollback --to: ${ran.seconds.toFixed(1)} s`);
  });

  it('reads all of that in the history, with what runs now', async () => {
    const { entries, holds } = JSON.parse((await demand(person.npm('history', 'core-go', '--json'))).stdout) as History;
    assert.deepEqual(entries.map(({ kind, tag, runs, author }) => [kind, tag, runs, author]).slice(0, 6), [
      ['rollback', '1df3b1f', true, 'A Person'],
      ['promotion', 'a1b2c3d', false, 'A Person'],
      ['rollback', 'b2c3d4e', false, 'A Person'],
      ['promotion', 'broken', false, 'A Person'],
      ['promotion', 'b2c3d4e', false, 'A Person'],
      ['promotion', 'a1b2c3d', false, 'A Person'],
    ]);
    assert.equal(holds.length, 1);
    assert.equal(entries[0]?.built === null, token === undefined);
    assert.match((await demand(person.npm('history', 'core-go'))).stdout, /rollback +1df3b1f .* runs now\n/);
  });
});
