import assert from 'node:assert/strict';
import { before, it } from 'node:test';
import type { DrillResult } from '../../scripts/checks/drill/drill.ts';
import { kill } from '../campaigns/interruptions/killing.ts';
import { objectsOf } from '../campaigns/interruptions/looking.ts';
import { differences } from '../campaigns/interruptions/normalised.ts';
import { reportIn } from '../support/status-schema.ts';
import { keys } from '../support/terminal.ts';
import { inCampaign, isCampaign } from './campaign.ts';
import { eventually, viewOf } from './cluster-view.ts';
import { demand, type Person, type SharedPlatform } from './support.ts';

const controller = 'argocd-application-controller';
/** CI takes those that nothing else shows: a bad image, a rollback and pods that go are promoted, synced and deleted, too. */
const drilled = isCampaign
  ? ['self-heal', 'prune', 'bad-image', 'rollback', 'pod-kill', 'node-drain']
  : ['self-heal', 'prune', 'node-drain'];

interface Result {
  promises: DrillResult[];
  unchanged: boolean;
  differences: string[];
  seconds: number;
}

/** What is changed by hand is told, the promises are kept, and a drill leaves nothing behind, however it ends. */
export function drillPromises({ cluster, begin }: SharedPlatform): void {
  let person: Person;
  let view: ReturnType<typeof viewOf>;
  /** What kubectl and git say before anything was drilled: not what the drill says of itself. */
  let objects: Map<string, string>;
  let repository: string;

  before(async () => {
    person = await begin();
    view = viewOf(person, cluster);
    objects = await objectsOf(person, cluster);
    repository = await gitState();
  });

  const status = async () => {
    const ran = await person.npm('status', '--json');
    return { code: ran.code, report: reportIn(ran.stdout) };
  };
  const gitState = async () => {
    const asked = [
      ['status', '--porcelain=v2', '--branch', '--untracked-files=all'],
      ['for-each-ref'],
      ['reflog', '--all'],
      ['stash', 'list'],
      ['ls-files', '--stage'],
    ];
    const answers = await Promise.all(asked.map((args) => demand(person.run(['git', '--no-optional-locks', ...args]))));
    return answers.map(({ stdout }) => stdout).join('\n');
  };
  const asBefore = async () => {
    assert.equal(await gitState(), repository);
    assert.deepEqual(differences(objects, await objectsOf(person, cluster)), []);
    const nodes = await view.json<{ items: { spec: { unschedulable?: boolean; taints?: object[] } }[] }>(
      'get',
      'nodes',
    );
    for (const { spec } of nodes.items) assert.deepEqual([spec.unschedulable, spec.taints], [undefined, undefined]);
    const images = (await demand(view.kubectl('get', 'replicasets', '--output=jsonpath={..image}'))).stdout;
    assert.doesNotMatch(images, /:broken/);
  };
  const isPointedElsewhere = async () =>
    (await view.kubectl('get', 'applications.argoproj.io', '--namespace=argocd', '--output=yaml')).stdout.includes(
      'platform-ops/drill',
    );
  const scaleController = async (replicas: number) =>
    demand(view.kubectl('scale', `statefulset/${controller}`, '--namespace=argocd', `--replicas=${replicas}`));

  it('status tells a change by hand while it is there', async () => {
    // Self-heal would undo it within a second: so that it can be looked at, nobody heals for the moment.
    await scaleController(0);
    await demand(view.kubectl('wait', '--for=delete', `pod/${controller}-0`, '--namespace=argocd', '--timeout=60s'));
    await demand(view.kubectl('label', 'deployment/core-go', 'app.kubernetes.io/part-of=mine', '--overwrite'));
    await demand(view.kubectl('delete', 'service/worker-python'));
    const { code, report } = await status();
    assert.equal(code, 1);
    const [edited, deleted, ...more] = report.drift.now;
    assert.deepEqual(more, []);
    assert.deepEqual(
      [edited?.kind, edited?.name, edited?.what, edited?.edits.map(({ by, fields }) => [by, ...fields])],
      ['Deployment', 'core-go', 'edited', [['kubectl-label', 'metadata.labels[app.kubernetes.io/part-of]']]],
    );
    assert.ok(Date.now() - Date.parse(edited?.edits[0]?.at ?? '') < 120_000);
    assert.deepEqual([deleted?.kind, deleted?.name, deleted?.what], ['Service', 'worker-python', 'deleted']);
    const page = await person.npm('status');
    assert.match(
      page.stdout,
      /✖ Deployment default\/core-go: .*part-of\] by kubectl-label at .*; Argo CD has not looked/,
    );
    assert.match(page.stdout, /✖ Service default\/worker-python was deleted; Argo CD has not looked since/);
  });

  it('and that Argo CD undid it: what, when, and how long it took', async (t) => {
    await scaleController(1);
    const healed = await eventually('both changes are undone, and all is well', 120, async () => {
      const { code, report } = await status();
      return code === 0 && report.drift.now.length === 0 && report.drift.healed;
    });
    const told = healed.map(({ objects }) => objects.map(({ kind, name, what }) => `${kind} ${name} ${what}`).join());
    assert.deepEqual(told.toSorted(), ['Deployment core-go set back', 'Service worker-python made anew']);
    for (const { at, seconds } of healed) {
      assert.ok(Date.now() - Date.parse(at) < 120_000 && seconds > 0, `${at} ${seconds}`);
      t.diagnostic(`healed in ${seconds.toFixed(1)} s`);
    }
    assert.match((await demand(person.npm('status'))).stdout, /reverted by Argo CD[^\n]*\n {2}✔ \d\d:\d\d:\d\d {2}\w+/);
  });

  it('a drill wants to be told that it is meant, and begins only where all is well', async () => {
    const ran = await person.npm('drill');
    assert.equal(ran.code, 2, ran.text);
    const asked = await person.answer('npm run --silent drill -- --only prune', ['Break these', keys.enter]);
    assert.equal(asked.code, 1, asked.screen);
    assert.match(asked.screen, /What leaves Git leaves the cluster\.[\s\S]*Nothing was done/);
  });

  it('every promise is held, and all is as it was', async (t) => {
    const ran = await person.npm('drill', '--yes', '--json', ...(isCampaign ? [] : ['--only', drilled.join()]));
    assert.equal(ran.code, 0, ran.text);
    const { promises, unchanged, differences, seconds } = JSON.parse(ran.stdout) as Result;
    assert.deepEqual([unchanged, differences], [true, []]);
    assert.deepEqual(
      promises.map(({ name, held }) => [name, held]),
      drilled.map((name) => [name, true]),
    );
    for (const shown of promises) {
      assert.ok(shown.held !== undefined && shown.seconds > 0 && shown.evidence.length > 20);
      t.diagnostic(`${shown.name}: ${shown.seconds.toFixed(1)} s, ${shown.evidence}`);
    }
    t.diagnostic(`the drill took ${seconds} s`);
    await asBefore();
  });

  inCampaign('Ctrl-C in the middle undoes what was begun', async () => {
    const drill = ['drill', '--yes', '--only', 'rollback'];
    const ran = await kill(person, cluster, drill, { once: isPointedElsewhere }, 'SIGINT');
    assert.equal(ran.killed, true, ran.text);
    assert.match(ran.text, /Undoing rollback\.[\s\S]*Interrupted\. What the drill had begun is undone\./);
    assert.equal((await status()).code, 0);
    assert.equal(await isPointedElsewhere(), false);
    await asBefore();
  });

  it('a drill that was killed in the middle is put right by the next up', async () => {
    const drill = ['drill', '--yes', '--only', 'bad-image'];
    const ran = await kill(person, cluster, drill, { once: isPointedElsewhere });
    assert.equal(ran.killed, true, ran.text);
    const { code, report } = await status();
    assert.equal(code, 1);
    assert.deepEqual(report.drift.drilled, [{ application: 'api-node', drill: 'bad-image' }]);

    await demand(person.npm('up'));
    assert.equal((await status()).code, 0);
    assert.equal(await gitState(), repository);
    assert.deepEqual(differences(objects, await objectsOf(person, cluster)), []);
  });
}
