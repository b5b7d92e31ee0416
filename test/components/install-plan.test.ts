// What `up`, `reset` and `down` say before they do it: the plan that is carried out, and a look that changes nothing.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Component } from '../../scripts/cluster/component.ts';
import { executeInstall, previewInstall } from '../../scripts/components/install-plan.ts';
import { fieldManager } from '../../scripts/kubernetes/kubectl.ts';
import { identityOf, type KubeObject, nameOf } from '../../scripts/kubernetes/objects.ts';
import { UserError } from '../../scripts/lib/errors.ts';
import { fakeContext, temporaryFolder } from '../support/fakes.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const progress = { start() {}, done() {}, failed() {}, note() {}, stop() {} };
const [before, now] = ['2026-01-02T03:04:05Z', '2026-01-02T04:00:00Z'];

/** A cluster that says in a dry run what it does when something is applied. */
function clusterOf(initial: readonly KubeObject[]) {
  const has = new Map(initial.map((object) => [identityOf(object), object]));
  const isSame = (object: KubeObject) => JSON.stringify(has.get(identityOf(object))) === JSON.stringify(object);
  const parsed = (yaml: string) => JSON.parse(yaml) as KubeObject;
  const context = fakeContext({
    config: { clusterName: 'c', nodeImage: 'kindest/node:v1' },
    target: 'others',
    signal: new AbortController().signal,
    images: { inNode: async () => new Map() },
    api: () => ({
      time: async () => Date.parse(now),
      listMetadata: async (_: string, kind: string) => [...has.values()].filter((object) => object.kind === kind),
      dryRunMetadata: async (_: string, yaml: string) => {
        const time = isSame(parsed(yaml)) ? before : now;
        const managedFields = [{ manager: fieldManager, operation: 'Apply', time }];
        return { ...parsed(yaml), metadata: { ...parsed(yaml).metadata, managedFields } };
      },
    }),
  });
  const apply = (objects: readonly KubeObject[]) => {
    const changed = objects.filter((object) => !isSame(object));
    for (const object of changed) has.set(identityOf(object), object);
    return changed.map(nameOf);
  };
  return { context, apply };
}

const map = (name: string, data = '') => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'n' },
  data: { data },
});

function scene() {
  const cluster = clusterOf([map('same'), map('other', 'old')]);
  const applied: string[] = [];
  const component = (name: string, needs: string[], objects: KubeObject[]): Component => ({
    name,
    needs,
    objects: async () => objects,
    status: async () => ({ state: 'ready' }),
    async apply() {
      applied.push(name);
      return { changed: cluster.apply(objects) };
    },
  });
  const components = [
    component('cluster', [], []),
    component('same', ['cluster'], [map('same')]),
    component('some', ['cluster'], [map('other', 'new'), map('more')]),
    component('last', ['same', 'some'], []),
  ];
  return { ...cluster, applied, components };
}

test('what the preview says is what is done, step by step and object by object', async () => {
  const { context, components, applied } = scene();
  const looked: string[] = [];
  const steps = components.map((one) => ({
    ...one,
    status: () => {
      looked.push(one.name);
      return one.status(context);
    },
  }));
  const plan = { isNew: false, steps };
  const preview = await previewInstall(context, plan);
  assert.deepEqual(applied, [], 'nothing is done by looking');
  assert.deepEqual(looked.toSorted(), ['cluster', 'last', 'same', 'some'], 'each is looked at once');
  assert.deepEqual(
    preview.map(({ name, state, creates, changes }) => [name, state, creates, changes]),
    [
      ['cluster', 'done', [], []],
      ['same', 'done', [], []],
      ['some', 'to do', ['ConfigMap n/more'], ['ConfigMap n/other']],
      ['last', 'done', [], []],
    ],
  );
  const { done } = await executeInstall(context, plan, progress);
  assert.deepEqual(done.map(({ name }) => name).toSorted(), preview.map(({ name }) => name).toSorted());
  for (const { name, creates, changes } of preview)
    assert.deepEqual(done.find((step) => step.name === name)?.changed.toSorted(), [...creates, ...changes].toSorted());
  const after = await previewInstall(context, plan);
  assert.ok(after.every(({ state }) => state === 'done'));
});

test('steps are applied in the order of what they need', async () => {
  const { context, components, applied } = scene();
  await executeInstall(context, { isNew: false, steps: components }, progress);
  assert.deepEqual([applied[0], applied.at(-1)], ['cluster', 'last']);
});

test('what can not be asked is not: a new cluster, one without Docker, one that is stopped, a component that fails', async () => {
  const { context, components } = scene();
  const with_ = (change: (one: Component) => Partial<Component>) =>
    components.map((one) => ({ ...one, ...change(one) }));
  const silent = with_(() => ({ status: () => assert.fail('the cluster is asked') }));
  const asleep = { status: async () => ({ state: 'unready', missing: 'it is exited' }) as const };
  const stopped = with_(({ name }) => (name === 'cluster' ? asleep : {}));
  const odd = with_(({ name }) => (name === 'some' ? { objects: () => Promise.reject(new UserError('no file')) } : {}));
  const statesOf = async (steps: Component[], isNew: boolean, blocked?: string) =>
    (await previewInstall(context, { isNew, steps }, blocked)).map(({ state, why, creates }) => [
      state,
      why,
      creates.length,
    ]);
  const to = 'to do';
  assert.deepEqual(
    await statesOf(silent, true),
    [0, 1, 2, 0].map((count) => [to, undefined, count]),
  );
  assert.deepEqual(
    await statesOf(silent, false, 'no Docker'),
    [0, 1, 2, 0].map((count) => ['unknown', 'no Docker', count]),
  );
  assert.deepEqual(await statesOf(stopped, false), [
    [to, 'it is exited', 0],
    ...[1, 2, 0].map((count) => ['unknown', 'it is exited', count]),
  ]);
  const done = ['done', undefined, 0];
  assert.deepEqual(await statesOf(odd, false), [done, done, ['unknown', 'no file', 0], done]);
});

/** All files of a folder, with what would show that one was written. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .map((name) => `${name} ${statSync(join(folder, name)).mtimeMs}`);
}

/** Folders for a command: its home, the programs that it finds, and what it writes for a moment. */
async function machine() {
  const [home, programs, temporary] = [await temporaryFolder(), await temporaryFolder(), await temporaryFolder()];
  for (const program of ['node', 'git', 'bash', 'ps']) {
    const { stdout } = spawnSync('bash', ['-c', `command -v ${program}`], { encoding: 'utf8' });
    symlinkSync(program === 'node' ? process.execPath : stdout.trim(), join(programs, program));
  }
  const env = { HOME: home, PATH: programs, TMPDIR: temporary };
  const start = (args: string[], settings: Record<string, string>) =>
    spawnSync(process.execPath, ['platform.mjs', ...args, '--json'], {
      cwd: root,
      env: { ...env, ...settings },
      encoding: 'utf8',
    });
  const left = () => readdirSync(temporary).filter((name) => !name.startsWith('tsx-'));
  return { home, programs, start, left };
}
const stateOf = (cluster: string) => {
  const folder = join(root, '.state');
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.includes(cluster)) : [];
};

test('status of a cluster of others leaves no kubeconfig', async () => {
  const { programs, start, left } = await machine();
  const config =
    'clusters: [{name: x, cluster: {server: "https://127.0.0.1:1"}}]\nusers: [{name: x, user: {token: t}}]';
  const kubectl = [
    '#!/usr/bin/env bash',
    `[[ $* == *version* ]] && echo '{"clientVersion":{"gitVersion":"v1.36.4"}}' && exit`,
    `echo '${config}'`,
  ];
  writeFileSync(join(programs, 'kubectl'), kubectl.join('\n'), { mode: 0o755 });
  symlinkSync('/usr/bin/env', join(programs, 'env'));
  const context = `status-${process.pid}`;
  const settings = {
    TARGET_CONTEXT: context,
    GITOPS_REPO_URL: 'https://127.0.0.1:1/ops.git',
    GHCR_CREDENTIALS: 'none',
  };
  const { stdout, stderr, status } = start(['status'], settings);
  assert.equal(status, 1, stderr);
  assert.match(stdout, /API server of status-\d+ does not answer/);
  assert.deepEqual([stateOf(context), left()], [[], []]);
});

test('a dry run works without Docker, needs no consent, exits with 0 and leaves no file', async () => {
  const { home, start, left } = await machine();
  const cluster = `dry-run-${process.pid}`;
  mkdirSync(join(home, '.cache', 'platform-ops'), { recursive: true });
  writeFileSync(join(home, '.cache', 'platform-ops', 'pulled-images'), '');
  const untouched = filesIn(home);
  const run = (...args: string[]) => {
    const done = start(args, { CLUSTER_NAME: cluster });
    assert.equal(done.status, 0, `${args.join(' ')}: ${done.stderr}`);
    return JSON.parse(done.stdout) as Record<string, unknown>;
  };
  const up = run('up', '--dry-run') as { steps: { state: string }[]; downloads: string[]; problems: string[] };
  assert.ok(up.steps.length > 10 && up.steps.every(({ state }) => state === 'unknown'));
  assert.ok(up.downloads.includes('kind'));
  assert.match(up.problems.join('\n'), /Docker is not installed/);
  const down = run('down', '--purge', '--dry-run') as { wouldRemove: { name: string }[]; notes: string[] };
  assert.match(down.wouldRemove.map(({ name }) => name).join(), /cache of pulled-images/);
  assert.match(down.notes.join(), /Docker is not installed/);
  assert.match(`${run('reset', '--dry-run').unknown}`, /Docker is not installed/);
  const afresh = run('reset', '--cluster', '--dry-run') as typeof up & typeof down;
  assert.deepEqual([afresh.wouldRemove, afresh.steps.length], [[], up.steps.length]);
  assert.match(afresh.notes.join(), /Docker is not installed/, 'what down could not look at');
  assert.deepEqual([filesIn(home), left(), stateOf(cluster)], [untouched, [], []]);
});
