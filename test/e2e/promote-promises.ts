import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import type { History } from '../../scripts/delivery/promote/history.ts';
import type { DeliveryResult } from '../../scripts/delivery/promote/result.ts';
import { inCampaign, isCampaign } from './campaign.ts';
import { viewOf } from './cluster-view.ts';
import { demand, type Person } from './support.ts';
import { ask, type Door, type Stream, steadyStream } from './traffic.ts';

const file = 'helm/core-go/values.yaml';
/** What is rolled back. The kit's image `broken` starts and never gets ready, which takes a minute to be told. */
const bad = isCampaign ? 'broken' : 'a1b2c3d';

interface Scene {
  person: Person;
  cluster: string;
  ports: { https: number };
  /** Whether there is a token for the services' images. Without it the same is shown with stand-ins. */
  hasToken: boolean;
}

/** One build after another, in order: each step starts from what the one before it left. */
export function promotePromises(scene: () => Scene): void {
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
    await viewOf(person, scene().cluster).noneTerminates();
    const { answered, lost } = await stream.stop();
    assert.deepEqual([lost, answered > 10], [[], true], `${answered} answered`);
    return answered;
  };

  before(async () => {
    person = scene().person;
    await demand(person.npm('up'));
    const { certificate } = JSON.parse((await demand(person.npm('trust', '--json'))).stdout);
    door = { port: scene().ports.https, host: 'api.localhost', ca: readFileSync(certificate, 'utf8') };
  });
  after(() => stream?.stop());

  it('promotes all at once, and gets a receipt for each; nobody noticed anything', async (t) => {
    stream = steadyStream(door, '/info', perSecond);
    const { hasToken } = scene();
    const ran = await demand(person.npm('promote', 'all', 'b2c3d4e', '--json'));
    const { changes, receipts, commit } = JSON.parse(ran.stdout) as DeliveryResult;
    assert.deepEqual(
      changes.map(({ service }) => service),
      ['api-node', 'core-go', 'worker-python'],
    );
    assert.deepEqual(
      receipts.map(({ application, revision, image }) => [application, revision, image?.standIn]).sort(),
      changes.map(({ service }) => [service, commit, !hasToken]),
    );
    assert.equal(await version(), 'b2c3d4e');
    t.diagnostic(`promote all: ${ran.seconds.toFixed(1)} s, ${await undisturbed()} requests meanwhile, none lost`);
  });

  it('is refused a build that does not exist, before anything is committed', async (t) => {
    if (!scene().hasToken) return t.skip('E2E_GITHUB_TOKEN is not set');
    const head = await git('rev-parse', 'HEAD');
    const ran = await person.npm('promote', 'core-go', 'fffffff');
    assert.equal(ran.code, 1, ran.text);
    assert.match(ran.stderr, /core-go:fffffff does not exist\./);
    assert.deepEqual([await git('rev-parse', 'HEAD'), await git('status', '--porcelain')], [head, '']);
  });

  it('gets a commit of one line and a receipt, and the new build answers', async (t) => {
    stream = steadyStream(door, '/info', perSecond);
    const ran = await demand(person.npm('promote', 'core-go', 'a1b2c3d'));
    assert.match(ran.stdout, /core-go: b2c3d4e → a1b2c3d\nCommitted as [0-9a-f]{7}: chore: promote images a1b2c3d\n/);
    assert.match(ran.stdout, /^core-go: [0-9a-f]{7} chore: promote images a1b2c3d$/m);
    assert.equal(await version(), 'a1b2c3d');
    assert.equal(await git('show', '--numstat', '--format=%s'), `chore: promote images a1b2c3d\n\n1\t1\t${file}`);
    if (scene().hasToken) assert.match(ran.stderr, /core-go:a1b2c3d is there, for linux\//);
    else assert.match(ran.stderr, /core-go:a1b2c3d is a stand-in/);
    t.diagnostic(`promote: ${ran.seconds.toFixed(1)} s, ${await undisturbed()} requests meanwhile, none lost`);
  });

  inCampaign(
    'is told which probe fails of a build that never gets ready, and the old pods go on serving',
    async (t) => {
      stream = steadyStream(door, '/info', perSecond);
      const ran = await person.npm('promote', 'core-go', 'broken');
      assert.equal(ran.code, 1, ran.text);
      assert.match(ran.stderr, /[Ss]tartup probe|startupProbe/);
      assert.match(ran.stderr, /500/);
      assert.match(ran.stderr, /npm run rollback -- core-go/);
      assert.equal(await version(), 'a1b2c3d');
      t.diagnostic(`told of the broken build after ${ran.seconds.toFixed(1)} s:\n${ran.stderr}`);
    },
  );

  it('rolls back in seconds; nobody noticed anything', async (t) => {
    const good = isCampaign ? 'a1b2c3d' : 'b2c3d4e';
    if (!isCampaign) stream = steadyStream(door, '/info', perSecond);
    const ran = await demand(person.npm('rollback', 'core-go'));
    assert.match(
      ran.stdout,
      new RegExp(`core-go: ${bad} → ${good}\\nCommitted as [0-9a-f]{7}: Revert "chore: promote images ${bad}"`),
    );
    assert.equal(await version(), good);
    assert.match(values(), new RegExp(`# hold: ${bad} was rolled back by A Person, `));
    t.diagnostic(`rollback: ${ran.seconds.toFixed(1)} s, ${await undisturbed()} requests meanwhile, none lost`);
  });

  it('is refused on hold, by hand and in CI, until it is released', async () => {
    for (const words of [
      ['core-go', bad],
      ['all', 'a1b2c3d'],
      ['core-go', '1df3b1f', '--from-ci'],
    ]) {
      const ran = await person.npm('promote', ...words);
      assert.equal(ran.code, 1, ran.text);
      assert.match(
        ran.stderr,
        new RegExp(`core-go is on hold.*${bad} was rolled back by A Person[\\s\\S]*npm run resume -- core-go`),
      );
    }
    assert.equal((await person.npm('validate', 'promotion')).code, 0);
    await demand(person.npm('resume', 'core-go'));
    assert.doesNotMatch(values(), /hold:/);
  });

  inCampaign('goes back further to a build of its choice', async (t) => {
    const ran = await demand(person.npm('rollback', 'core-go', '--to', '1df3b1f'));
    assert.equal(await version(), '1df3b1f');
    t.diagnostic(`rollback --to: ${ran.seconds.toFixed(1)} s`);
  });

  it('reads all of that in the history, with what runs now', async () => {
    const { entries, holds } = JSON.parse((await demand(person.npm('history', 'core-go', '--json'))).stdout) as History;
    const last = (kind: string, tag: string, runs = false) => [kind, tag, runs, 'A Person'];
    const told = isCampaign
      ? [last('rollback', '1df3b1f', true), last('rollback', 'a1b2c3d'), last('promotion', 'broken')]
      : [last('rollback', 'b2c3d4e', true)];
    told.push(last('promotion', 'a1b2c3d'), last('promotion', 'b2c3d4e'));
    assert.deepEqual(
      entries.slice(0, told.length).map(({ kind, tag, runs, author }) => [kind, tag, runs, author]),
      told,
    );
    assert.equal(holds.length, isCampaign ? 1 : 0);
    assert.equal(entries[0]?.built === null, !scene().hasToken);
    assert.match((await demand(person.npm('history', 'core-go'))).stdout, /rollback +(1df3b1f|b2c3d4e) .* runs now\n/);
  });
}
