import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, it } from 'node:test';
import type { RolloutReport } from '../../scripts/delivery/sync/report.ts';
import { isPullFailure } from '../../scripts/kubernetes/explain/pod-problem.ts';
import type { Pod } from '../../scripts/kubernetes/types.ts';
import { reportIn } from '../support/status-schema.ts';
import { inCampaign } from './campaign.ts';
import { eventually, viewOf } from './cluster-view.ts';
import { demand, type Person, type Ran, type SharedPlatform } from './support.ts';
import { steadyStream } from './traffic.ts';

/** One day of commits, in order: each step starts from what the one before it left. */
export function syncPromises({ cluster, ports, begin }: SharedPlatform): void {
  let person: Person;

  before(async () => {
    person = await begin();
  });

  const git = (...args: string[]) => demand(person.run(['git', ...args]));
  const head = async () => (await git('rev-parse', 'HEAD')).stdout.trim();
  const edit = (file: string, from: RegExp, to: string, folder = person.clone) => {
    const path = join(folder, file);
    const text = readFileSync(path, 'utf8');
    assert.match(text, from);
    writeFileSync(path, text.replace(from, to));
  };
  const setEnv = (value: string, folder?: string) =>
    edit('helm/core-go/values-dev.yaml', /ENV: \S+/, `ENV: ${value}`, folder);
  const commit = (message: string) => git('commit', '--quiet', '--all', '--message', message);
  const receipts = (ran: Ran) =>
    new Map((JSON.parse(ran.stdout) as RolloutReport[]).map((one) => [one.application, one]));
  const sync = async () => receipts(await demand(person.npm('sync', '--json')));
  const info = async () => {
    const authority = JSON.parse((await demand(person.npm('trust', '--json'))).stdout).certificate;
    const url = `https://api.localhost:${ports.https}/info`;
    const ran = await demand(person.run(['curl', '-fsS', '--max-time', '5', '--cacert', authority, url]));
    return JSON.parse(ran.stdout) as { version: string; upstream: { env: string } };
  };
  /** core-go runs anew at HEAD, and the others are left alone. */
  const changedCoreGo = async (found: Map<string, RolloutReport>, env: string) => {
    assert.deepEqual(
      [...found.values()].map(({ application, changed, revision }) => [application, changed, revision]),
      ['api-node', 'core-go', 'worker-python'].map((name) => [name, name === 'core-go', found.get(name)?.commit]),
    );
    await answersWith(env);
  };
  /** api-node may keep a connection to core-go's old pod, which answers on it until it has drained. */
  const answersWith = (env: string) =>
    eventually(`/info with ${env} in it`, 60, async () => (await info()).upstream.env === env);

  it('gets a receipt for a promotion: the commit, the image, the answer, the pod, and the time of each stage', async () => {
    edit('helm/api-node/values.yaml', /tag: .*/, 'tag: "a1b2c3d"');
    await commit('chore: promote images a1b2c3d');
    const found = await sync();
    const api = found.get('api-node');
    assert.deepEqual(
      [
        api?.commit,
        api?.revision,
        api?.changed,
        api?.files,
        api?.answer?.version,
        api?.answer?.by,
        api?.image?.standIn,
      ],
      [await head(), await head(), true, ['helm/api-node/values.yaml'], 'a1b2c3d', 'version', true],
    );
    // The version is a label of all of them. Argo CD repeats a part of a sync at times, and tells of the last alone then.
    assert.ok(api?.objects.includes('Deployment api-node') && api.objects.includes('Service api-node'));
    assert.match(
      `${api?.image?.before} ${api?.image?.name} ${api?.image?.id}`,
      /:1df3b1f \S+:a1b2c3d \S*sha256:[0-9a-f]{64}$/,
    );
    assert.equal(api?.pods.length, 1);
    assert.deepEqual(Object.keys(api?.seconds ?? {}), ['seen', 'synced', 'ready', 'answering', 'scraped']);
    assert.deepEqual([found.get('core-go')?.changed, found.get('worker-python')?.changed], [false, false]);
  });

  it('reads in status what the new pods run while the old ones terminate', async () => {
    const { applications } = reportIn((await person.npm('status', '--json')).stdout);
    const api = applications.find(({ name }) => name === 'api-node');
    assert.equal(api?.image, 'ghcr.io/zainasr/api-node:a1b2c3d');
    const view = viewOf(person, cluster);
    // Those that do now did so when status looked.
    const still = (await view.terminating()).filter((name) => name.startsWith('api-node-'));
    assert.ok(api.terminating >= still.length, `${api.terminating} in status, later ${still}`);
    await view.noneTerminates();
  });

  it('loses no request at 20 a second in the rollout of an amended commit, and gets a receipt as people read it', async (t) => {
    const { certificate } = JSON.parse((await demand(person.npm('trust', '--json'))).stdout);
    const door = { port: ports.https, host: 'api.localhost', ca: readFileSync(certificate, 'utf8') };
    const stream = steadyStream(door, '/info', 20);
    t.after(() => stream.stop());
    setEnv('amended');
    edit('helm/api-node/values-dev.yaml', /ENV: \S+/, 'ENV: rolled');
    await commit('Roll out both');
    setEnv('rolled');
    await git('commit', '--quiet', '--all', '--amend', '--message', 'Roll out both again');
    const ran = await demand(person.npm('sync'));
    const short = (await head()).slice(0, 7);
    for (const name of ['api-node', 'core-go']) {
      assert.match(ran.stdout, new RegExp(`^${name}: ${short} Roll out both again$`, 'm'));
      assert.match(ran.stdout, new RegExp(`^ {2}files +helm/${name}/values-dev\\.yaml$`, 'm'));
    }
    assert.match(
      ran.stdout,
      /^ {2}answers +https:\/\/api\.localhost:\d+\/info, 200 .*only new pods were endpoints( \(1 old pod still draining.*)?$/m,
    );
    assert.match(ran.stdout, new RegExp(`^worker-python: unchanged, at ${short}$`, 'm'));
    await viewOf(person, cluster).noneTerminates();
    const { answered, lost } = await stream.stop();
    assert.deepEqual([lost, answered > 100], [[], true], `${answered} answered`);
    t.diagnostic(`${answered} requests, none lost`);
    await answersWith('rolled');
  });

  const waitsForImage = (service: string) =>
    eventually(`a pod of ${service} waits for its image`, 90, async () => {
      const { items } = await viewOf(person, cluster).json<{ items: Pod[] }>('get', 'pods');
      const waiting = items.filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/name'] === service);
      return waiting.some(({ status }) =>
        status.containerStatuses?.some(({ state }) => isPullFailure(state.waiting?.reason)),
      );
    });

  const name = 'ghcr.io/zainasr/worker-python';

  inCampaign('need not wait for a pod that was quicker than its image, which somebody brought', async () => {
    edit('helm/worker-python/values.yaml', /tag: .*/, 'tag: "c3d4e5f"');
    await commit('chore: promote images c3d4e5f');
    await waitsForImage('worker-python');
    const containerd = ['docker', 'exec', `${cluster}-control-plane`, 'ctr', '--namespace=k8s.io'] as const;
    await demand(person.run([...containerd, 'images', 'tag', `${name}:1df3b1f`, `${name}:c3d4e5f`]));
    assert.equal((await sync()).get('worker-python')?.image?.name, `${name}:c3d4e5f`);
  });

  it('brings the image of a commit by the next up, and the pod that was quicker than that need not wait', async () => {
    edit('helm/worker-python/values.yaml', /tag: .*/, 'tag: "d4e5f6a"');
    await commit('chore: promote images d4e5f6a');
    await waitsForImage('worker-python');
    await demand(person.npm('up'));
    const { applications } = reportIn((await person.npm('status', '--json')).stdout);
    const worker = applications.find(({ name: one }) => one === 'worker-python');
    assert.deepEqual([worker?.image, worker?.standIn], [`${name}:d4e5f6a`, true]);
  });

  it('gets one for another branch that is checked out, and for the way back', async () => {
    // The way back leads to a commit that rolled nothing out: of one that did, its report would be told once more.
    await git('commit', '--quiet', '--allow-empty', '--message', 'Change nothing');
    await git('checkout', '--quiet', '-b', 'topic');
    setEnv('topic');
    await commit('Work on a topic');
    await changedCoreGo(await sync(), 'topic');
    await git('checkout', '--quiet', '-');
    await changedCoreGo(await sync(), 'rolled');
  });

  inCampaign('gets one for a merge, and for the way back', async () => {
    await git('merge', '--quiet', '--no-ff', '--no-edit', 'topic');
    await changedCoreGo(await sync(), 'topic');
    await git('revert', '--no-edit', '--mainline', '1', 'HEAD');
    await changedCoreGo(await sync(), 'rolled');
  });

  inCampaign('works in a linked worktree, which Argo CD follows from then on, until it is told otherwise', async () => {
    const linked = join(person.home, 'linked worktree');
    await git('worktree', 'add', '--quiet', '-b', 'linked', linked);
    await demand(person.run(['cp', '-r', 'node_modules', linked]));
    setEnv('linked', linked);
    await git('-C', linked, 'commit', '--quiet', '--all', '--message', 'Commit beside');
    const there = await demand(person.run(['npm', 'run', '--silent', 'sync', '--', '--json'], { cwd: linked }));
    assert.match(there.stderr, /Registered again: the Application core-go follows HEAD of .*, not linked/);
    await changedCoreGo(receipts(there), 'linked');
    await changedCoreGo(await sync(), 'rolled');
  });

  it('is told at once of a commit that can not be rendered, with file and line', async () => {
    edit('helm/core-go/values-dev.yaml', /replicaCount: 1/, 'replicaCount: one');
    await commit('Break the values');
    const ran = await person.npm('sync');
    assert.equal(ran.code, 1, ran.text);
    assert.match(ran.stderr, /can't render core-go at \w{7}; what runs stays as it is/);
    assert.match(ran.stderr, /helm\/core-go\/values-dev\.yaml:\d+: replicaCount: got string, want integer/);
    assert.match(ran.stdout, /^api-node: unchanged/m);
    assert.equal((await info()).upstream.env, 'rolled');
    await git('revert', '--no-edit', 'HEAD');
    assert.equal((await sync()).get('core-go')?.changed, false);
  });

  it('is told why a commit rolls out badly, and that the old pods serve; a revert is all it takes', async () => {
    edit('helm/api-node/values.yaml', /CORE_GO_BASE_URL: .*/, 'CORE_GO_BASE_URL: ""');
    await commit('Forget where core-go is');
    const ran = await person.npm('sync');
    assert.equal(ran.code, 1, ran.text);
    assert.match(ran.stderr, /pod default\/api-node-\S+, container api-node: CrashLoopBackOff/);
    assert.match(ran.stderr, /stand-in: CORE_GO_BASE_URL is not set/);
    // The autoscaler may have added one, after the traffic above.
    assert.match(ran.stderr, /\d+ old pods? still serving/);
    assert.match(ran.stderr, new RegExp(`→ .*git revert --no-edit ${(await head()).slice(0, 7)}`));
    assert.equal((await info()).version, 'a1b2c3d');
    await git('revert', '--no-edit', 'HEAD');
    await sync();
    // The bad pod is a target of Prometheus until it is gone.
    await eventually('all is well', 90, async () => (await person.npm('status')).code === 0);
  });

  it('goes on with each commit that comes, good and bad, until Ctrl-C', async (t) => {
    const [lines, pid] = ['lines', 'pid'].map((name) => join(person.home, name)) as [string, string];
    const cli = './platform.mjs sync --watch --json';
    const watching = person.run(['bash', '-c', `${cli} >"${lines}" & echo $! >"${pid}"; wait $!`]);
    const told = (count: number) =>
      eventually(`${count} lines of sync --watch`, 90, async () => {
        const all = existsSync(lines) ? readFileSync(lines, 'utf8').split('\n').filter(Boolean) : [];
        return all.length >= count && all.map((line) => JSON.parse(line) as RolloutReport & { error?: string });
      });
    t.after(() => spawnSync('kill', ['-INT', readFileSync(pid, 'utf8').trim()]));
    await told(3);
    setEnv('watched');
    await commit('Be watched');
    const good = (await told(6)).slice(3);
    assert.deepEqual(
      good.map(({ application, changed, subject }) => [application, changed, subject]),
      ['api-node', 'core-go', 'worker-python'].map((name) => [name, name === 'core-go', 'Be watched']),
    );
    edit('helm/core-go/values-dev.yaml', /ENV: watched/, 'NEV: watched\n  - broken');
    await commit('Break it while somebody watches');
    // The two other Applications first, then why the third was not rendered.
    assert.match((await told(9)).at(-1)?.error ?? '', /can't render core-go at \w{7}/);
    await git('revert', '--no-edit', 'HEAD');
    assert.match((await told(12)).at(-1)?.subject ?? '', /^Revert/);
    spawnSync('kill', ['-INT', readFileSync(pid, 'utf8').trim()]);
    assert.equal((await watching).code, 130);
  });

  it('says in one sentence where there is nothing to sync', async () => {
    const ran = await person.run(['npm', 'run', '--silent', 'sync'], { env: { CLUSTER_NAME: 'e2e-none' } });
    assert.equal(ran.code, 1);
    assert.match(ran.text, /there is no cluster e2e-none\.\n {2}→ npm run up\n$/);
    assert.equal((await person.npm('sync', '--app', 'api-nod')).code, 2);
  });
}
