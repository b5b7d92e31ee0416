import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { followRefs, gitMounts, missingRefs, refsItems } from '../../scripts/cluster/git-refs.ts';
import { assertSeesCommits } from '../../scripts/cluster/node.ts';
import { gitServerUser, gitSource } from '../../scripts/components/git-source.ts';
import type { DockerContainer } from '../../scripts/lib/docker/containers.ts';
import { UsageError } from '../../scripts/lib/errors.ts';
import { fakeContext, fakeExec, refusal, temporaryFolder } from '../support/fakes.ts';
import { commit, createRepository, git, gitExec } from '../support/repository.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const script = readFileSync(join(root, 'cluster', 'git-refs.sh'), 'utf8');

interface Server {
  spec: { template: { spec: { containers: { env: { name: string; value: string }[] }[] } } };
}

async function clone() {
  const folder = createRepository(join(await temporaryFolder(), 'ops'));
  commit(folder, 'Start', { a: '1' });
  return { folder, commonDir: join(folder, '.git') };
}

function contextOf(
  commonDir: string,
  answer: Parameters<typeof fakeExec>[0] = () => undefined,
  borrows: string[] = [],
) {
  const exec = fakeExec(answer);
  const config = { root, clusterName: 'x', nodeImage: 'kindest/node:v1' };
  return {
    exec,
    context: fakeContext({ exec, config, node: 'x-control-plane', checkout: async () => ({ commonDir, borrows }) }),
  };
}

test('a node sees HEAD, packed-refs and two folders of the Git folder, whatever the umask is', async () => {
  const { commonDir } = await clone();
  const before = process.umask(0o077);
  const mounts = await gitMounts(contextOf(commonDir).context).finally(() => process.umask(before));
  const shown = join(commonDir, 'platform-ops', 'x');
  assert.deepEqual(
    mounts.map(({ hostPath, containerPath, readOnly }) => [hostPath, containerPath, readOnly]),
    [
      [shown, '/platform-ops/git', true],
      [join(commonDir, 'objects'), '/platform-ops/git/objects', true],
      [join(commonDir, 'refs'), '/platform-ops/git/refs', true],
    ],
  );
  assert.deepEqual(readdirSync(shown).sort(), ['config', 'objects', 'refs']);
  assert.equal(statSync(shown).mode & 0o777, 0o755);
  assert.equal(statSync(join(shown, 'config')).mode & 0o777, 0o644);
});

test('a node sees the stores that a clone borrows from, and the Git server is told where', async () => {
  const { commonDir } = await clone();
  const stores = ['/a/objects', '/b/objects'];
  const { context } = contextOf(commonDir, undefined, stores);
  const mounts = (await gitMounts(context)).slice(-2);
  assert.deepEqual(
    mounts.map(({ hostPath, readOnly }) => [hostPath, readOnly]),
    stores.map((store) => [store, true]),
  );
  const paths = mounts.map(({ containerPath }) =>
    containerPath.replace('/platform-ops/git', '/srv/git/platform-ops.git'),
  );
  const server = (await gitSource.read?.(context))?.find(({ kind }) => kind === 'Deployment');
  const told = { name: 'GIT_ALTERNATE_OBJECT_DIRECTORIES', value: paths.join(':') };
  assert.deepEqual((server as unknown as Server).spec.template.spec.containers[0]?.env.at(-1), told);
  // What the node was not created with, it will not see.
  const binds = (...seen: string[]) => ({
    ...({ state: 'running' } as DockerContainer),
    binds: new Map([
      ['/platform-ops/git/objects', join(commonDir, 'objects')],
      ...mounts.flatMap(({ hostPath, containerPath }) =>
        seen.includes(hostPath) ? [[containerPath, hostPath] as const] : [],
      ),
    ]),
  });
  await assertSeesCommits(context, binds(...stores));
  const { error } = await refusal(() => assertSeesCommits(context, binds('/a/objects')));
  assert.match(`${error.message} ${error.hint}`, /borrows objects from \/b\/objects.* npm run down && npm run up/);
});

test('where the history of a shallow clone ends is followed', async (t) => {
  if (process.platform !== 'linux') return t.skip('it runs in a container, on Linux');
  const { folder } = await clone();
  for (const message of ['b', 'c']) commit(folder, message);
  const shallow = join(await temporaryFolder(), 'shallow');
  git(folder, 'clone', '--quiet', '--depth=1', `file://${folder}`, shallow);
  const served = await temporaryFolder();
  for (const name of ['objects', 'refs']) symlinkSync(join(shallow, '.git', name), join(served, name));
  writeFileSync(join(served, 'shallow'), 'of a cluster that was stopped meanwhile\n');
  const follower = spawn('bash', ['-c', script, 'bash', join(shallow, '.git'), served]);
  t.after(() => follower.kill('SIGKILL'));
  const history = async (wanted: number) => {
    const count = ['git', `--git-dir=${served}`, 'rev-list', '--count', 'HEAD'] as const;
    for (const deadline = Date.now() + 10_000; ; await sleep(20)) {
      const { stdout } = await gitExec(count, { nothrow: true });
      if (Number(stdout) === wanted) return;
      assert(Date.now() < deadline, `${stdout.trim()} commits instead of ${wanted}`);
    }
  };
  await history(1);
  commit(shallow, 'd');
  await history(2);
  git(shallow, 'fetch', '--quiet', '--deepen=1');
  await history(3);
  git(shallow, 'fetch', '--quiet', '--unshallow');
  await history(4);
  assert.equal(existsSync(join(served, 'shallow')), false);
});

test('whatever Git does to its refs, a fetch finds what is checked out, at any time', async (t) => {
  if (process.platform !== 'linux') return t.skip('it runs in a container, on Linux');
  const { folder, commonDir } = await clone();
  const served = join(await temporaryFolder(), 'served');
  mkdirSync(served);
  // In place of the mounts.
  for (const name of ['objects', 'refs']) symlinkSync(join(commonDir, name), join(served, name));
  const follower = spawn('bash', ['-c', script, 'bash', commonDir, served]);
  let working = true;
  t.after(() => {
    working = false;
    follower.kill('SIGKILL');
  });
  const resolved = async () =>
    (await gitExec(['git', `--git-dir=${served}`, 'rev-parse', '--verify', 'HEAD'], { nothrow: true })).stdout.trim();
  const found = async (what: string) => {
    const wanted = git(folder, 'rev-parse', 'HEAD');
    for (const deadline = Date.now() + 10_000; (await resolved()) !== wanted; await sleep(20))
      assert(Date.now() < deadline, what);
  };
  await found('the first commit');
  const unresolved: string[] = [];
  const polling = (async () => {
    for (; working; await sleep(1)) if ((await resolved()) === '') unresolved.push('HEAD leads nowhere');
  })();
  const steps: [string, ...string[]][] = [
    ['commit'],
    ['pack', 'pack-refs', '--all'],
    ['commit after it'],
    ['switch', 'switch', '--quiet', '--create', 'feature/a.b+c'],
    ['commit on it'],
    ['gc', 'gc', '--quiet', '--prune=now'],
    ['commit after it'],
    ['repack', 'repack', '-adq'],
    ['switch back', 'switch', '--quiet', 'main'],
    ['delete', 'branch', '--quiet', '-D', 'feature/a.b+c'],
    ['pack again', 'pack-refs', '--all'],
    ['create it again', 'switch', '--quiet', '--create', 'feature/a.b+c'],
    ['commit on it'],
    ['detach', 'switch', '--quiet', '--detach', 'HEAD~1'],
    ['back', 'switch', '--quiet', 'main'],
  ];
  for (const [what, ...command] of steps) {
    if (command.length > 0) git(folder, ...command);
    else git(folder, 'commit', '--quiet', '--allow-empty', '--message', what);
    await found(what);
  }
  for (let count = 0; count < 5; count += 1) {
    git(folder, 'commit', '--quiet', '--allow-empty', '--message', `${count}`);
    git(folder, 'pack-refs', '--all');
  }
  await found('commits that are packed at once');
  working = false;
  await polling;
  assert.deepEqual(unresolved, []);
});

test('the container beside the node reads the Git folder and has no network; one that is there is started', async () => {
  const { commonDir } = await clone();
  const there = contextOf(commonDir);
  assert.deepEqual(await followRefs(there.context), []);
  assert.deepEqual(there.exec.lines(), ['docker start x-git']);

  const gone = contextOf(commonDir, (line) => (line.startsWith('docker start') ? { exitCode: 1 } : undefined));
  assert.deepEqual(await followRefs(gone.context), ['container x-git']);
  const run = gone.exec.calls.at(-1)?.command ?? [];
  for (const option of [
    '--network=none',
    '--cap-drop=ALL',
    '--label=io.x-k8s.kind.cluster=x',
    `--volume=${commonDir}:/git:ro`,
    `--volume=${join(commonDir, 'platform-ops', 'x')}:/refs`,
  ])
    assert(run.includes(option), option);

  const refused = contextOf(commonDir, (line) => (/^docker (start|run)/.test(line) ? { exitCode: 1 } : undefined));
  assert.equal((await refusal(() => followRefs(refused.context))).error.id, 'node-not-started');
});

const node = (Binds: string[]) => ({
  stdout: JSON.stringify([{ State: { Status: 'running' }, Config: { Image: '' }, HostConfig: { Binds } }]),
});
const whole = ['/ops/.git:/platform-ops/git:ro'];
const narrow = [...whole, '/ops/.git/objects:/platform-ops/git/objects:ro'];
const absent = { exitCode: 1, stderr: 'Error: No such container: x-git' };
const states: [string, object, string[], RegExp | undefined][] = [
  ['that runs', { stdout: 'running\n' }, narrow, undefined],
  ['that is stopped', { stdout: 'exited\n' }, narrow, /x-git.* is exited/],
  ['that is gone', absent, narrow, /x-git.* is gone/],
  ['that a node of an earlier version needs not', absent, whole, undefined],
];
for (const [what, state, binds, says] of states) {
  test(`of a container ${what}, status says ${says ? 'so' : 'nothing'}`, async () => {
    const { context } = contextOf('/ops/.git', (line) => (line.includes('--format') ? state : node(binds)));
    const said = await missingRefs(context);
    if (says === undefined) assert.equal(said, undefined);
    else assert.match(said ?? '', says);
  });
}

test('down leaves nothing in the Git folder, and nothing is looked for where there is none', async () => {
  const { commonDir } = await clone();
  const { context } = contextOf(commonDir);
  await gitMounts(context);
  const [item, ...others] = await refsItems(context);
  assert.deepEqual([others, await item?.isThere()], [[], true]);
  await item?.remove?.();
  assert.deepEqual([await item?.isThere(), existsSync(join(commonDir, 'platform-ops'))], [false, false]);
  const none = fakeContext({ checkout: () => Promise.reject(new UsageError('no checkout')) });
  assert.deepEqual(await refsItems(none), []);
});

test('the Git server runs as the user who can read the objects, and as root only where no other user can', async () => {
  const { commonDir } = await clone();
  const objects = join(commonDir, 'objects');
  const { uid, gid } = statSync(objects);
  const user = uid === 0 ? [999, 999] : [uid, gid];
  const owner = { runAsNonRoot: true, runAsUser: user[0], runAsGroup: user[1] };
  const root = { runAsNonRoot: false, runAsUser: 0, runAsGroup: 0 };
  const server = () => gitServerUser(gitExec, [objects, join(commonDir, 'refs')]);
  // The Git folder itself is not mounted.
  chmodSync(commonDir, 0o700);
  assert.deepEqual(await server(), owner);
  const [folder = ''] = readdirSync(objects).filter((name) => name.length === 2);
  const [file = ''] = readdirSync(join(objects, folder));
  chmodSync(join(objects, folder, file), 0o400);
  assert.deepEqual(await server(), uid === 0 ? root : owner);
  if (uid !== 0) return;
  chownSync(join(objects, folder, file), 999, 0);
  assert.deepEqual(await server(), owner, 'it is their own');
  chmodSync(join(objects, folder, file), 0o040);
  chownSync(join(objects, folder, file), 12, 999);
  assert.deepEqual(await server(), owner, 'it is of their group');
  chownSync(objects, 34, 34);
  assert.deepEqual(await server(), root, 'of two users, each with what the other may not read');
  chmodSync(join(objects, folder, file), 0o444);
  assert.deepEqual(await server(), { runAsNonRoot: true, runAsUser: 34, runAsGroup: 34 });
  chmodSync(join(objects, 'pack'), 0o700);
  assert.deepEqual(await server(), root);
});
