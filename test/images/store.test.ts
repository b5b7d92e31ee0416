import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { createImageStore } from '../../scripts/images/store.ts';
import { Interrupted } from '../../scripts/lib/errors.ts';
import { CommandError, type Exec, type Output } from '../../scripts/lib/exec.ts';
import { type FakeExec, fakeExec, refusal } from '../support/fakes.ts';

const { signal } = new AbortController();
const storeOf = (exec: Exec, options = {}) => createImageStore(exec, 'node', signal, options);
const refused = 'ctr: failed to resolve reference "quay.io/x/b:1": unexpected status 401 Unauthorized';

/** A machine by the images that its node has, that the node can get, and that Docker has; `fault` may answer first. */
function machine(
  { node = [], registry = [], docker = [] }: { node?: string[]; registry?: string[]; docker?: string[] },
  fault: (line: string) => Partial<Output> | undefined = () => undefined,
) {
  const has = new Set(node);
  return fakeExec((line): Partial<Output> => {
    const failed = fault(line);
    if (failed) return failed;
    if (line.endsWith(' images list'))
      return { stdout: ['REF TYPE DIGEST', ...[...has].map((name) => `${name} x sha256:0`), ''].join('\n') };
    const wanted = pulledIn(line);
    if (wanted !== undefined && !registry.includes(wanted))
      return { exitCode: 1, stderr: `time="x" level=info\n${refused}\n` };
    if (wanted !== undefined) has.add(wanted);
    if (line.startsWith('docker image inspect')) return { exitCode: docker.some((one) => line.endsWith(one)) ? 0 : 1 };
    return {};
  });
}
const pulledIn = (line: string) => line.match(/^docker exec node ctr .* images pull .*?(\S+)$/)?.[1];
const pulls = (exec: FakeExec) => exec.lines().flatMap((line) => pulledIn(line) ?? []);
const imports = (exec: FakeExec) =>
  exec.calls.filter(({ command }) => command[0] === 'sh').map(({ command }) => command.slice(3));

test('only what the node lacks is pulled, by the node, under the full name; Docker here pulls nothing', async () => {
  const exec = machine({ node: ['docker.io/library/a:1'], registry: ['docker.io/library/b:1', 'docker.io/c/d:1'] });
  assert.deepEqual(await storeOf(exec).ensure(['a:1', 'b:1', 'c/d:1']), ['b:1', 'c/d:1']);
  assert.deepEqual(pulls(exec), ['docker.io/library/b:1', 'docker.io/c/d:1']);
  assert.deepEqual(imports(exec), []);
  assert(!exec.lines().some((line) => line.startsWith('docker pull')));
});

test('what the node can’t get, but Docker here has, is copied into the node; what neither has is refused with the reason', async () => {
  const here = machine({ docker: ['quay.io/x/b:1'] });
  assert.deepEqual(await storeOf(here).ensure(['quay.io/x/b:1']), ['quay.io/x/b:1']);
  assert.deepEqual(imports(here), [['import', 'node', 'quay.io/x/b:1']]);
  const nowhere = machine({});
  const { error } = await refusal(() => storeOf(nowhere).ensure(['quay.io/x/b:1']));
  assert.equal(error.id, 'image-not-pulled');
  assert.match(error.message, /quay\.io\/x\/b:1 .*quay\.io: unexpected status 401 Unauthorized\.$/);
  assert.match(error.hint ?? '', /docker pull quay\.io\/x\/b:1/);
  assert.deepEqual(imports(nowhere), []);
});

test('who asks for an image at the same time shares one pull; one that failed is tried again by the next who asks', async () => {
  const registry: string[] = [];
  const exec = machine({ registry });
  const { ensure } = storeOf(exec);
  await assert.rejects(ensure(['a:1']));
  registry.push('docker.io/library/a:1');
  assert.deepEqual(await Promise.all([ensure(['a:1']), ensure(['a:1'])]), [['a:1'], ['a:1']]);
  assert.deepEqual(pulls(exec), ['docker.io/library/a:1', 'docker.io/library/a:1']);
});

test('one processor is left to the control plane while images are pulled, and all of them come', async () => {
  let [running, most] = [0, 0];
  const images = Array.from({ length: 8 }, (_, index) => `i${index}:1`);
  const inner = machine({ registry: images.map((name) => `docker.io/library/${name}`) });
  const exec: Exec = async (command, options) => {
    if (!command.includes('pull')) return inner(command, options);
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    return inner(command, options);
  };
  const spare = Math.max(1, Math.min(4, availableParallelism() - 1));
  assert.deepEqual([await storeOf(exec).ensure(images), most], [images, spare]);
});

test('images are copied together, each of them once, and then called what the cluster asks for', async () => {
  const exec = machine({});
  const targets = ['ghcr.io/a/x:1', 'ghcr.io/a/y:1'];
  await storeOf(exec).importAs(new Map(targets.map((target) => [target, 'stand-in:1'])));
  assert.deepEqual(imports(exec), [['import', 'node', 'stand-in:1']]);
  const tags = exec.calls.map(({ command }) => command).filter((command) => command.includes('tag'));
  const named = targets.map((target) => ['docker.io/library/stand-in:1', target]);
  assert.deepEqual(
    tags.map((command) => command.slice(-2)),
    named,
  );
});

test('the node’s containerd is waited for, once for all, and an interruption ends the wait', async () => {
  let looks = 0;
  const starting = machine({ docker: ['a:1', 'b:1'] }, (line) => {
    if (line.includes('ctr version')) looks += 1;
    return looks < 2 && /ctr version|images list$/.test(line) ? { exitCode: 1 } : undefined;
  });
  const store = storeOf(starting);
  assert.deepEqual([await store.ensure([]), looks], [[], 0]);
  await Promise.all([store.ensure(['a:1']), store.ensure(['b:1'])]);
  assert.equal(looks, 2);
  const controller = new AbortController();
  const never = fakeExec(() => ({ exitCode: 1 }));
  const waiting = assert.rejects(createImageStore(never, 'node', controller.signal).ensure(['a:1']), Interrupted);
  controller.abort();
  await waiting;
});

test('where containerd runs, one look at its images says so, and tells what is to be kept as well', async () => {
  const exec = machine({ node: ['docker.io/library/a:1'] });
  const store = storeOf(exec);
  assert.deepEqual(await store.ensure(['a:1']), []);
  await store.keep();
  await store.inNode();
  assert.equal(exec.calls.length, 1);
  store.forget();
  await store.inNode();
  assert.equal(exec.calls.length, 2);
});

for (const [reason, tries] of [
  ['ctr: failed to copy: httpReadSeeker: failed open: unexpected EOF', 2],
  ['ctr: failed to copy: read tcp: connection reset by peer', 2],
  // containerd words it in three ways.
  ['ctr: pulling from host quay.io failed with status code [manifests v1]: 503 Service Unavailable', 2],
  ['ctr: unexpected status code https://quay.io/v2/x/b/blobs/sha256:0: 503 Service Unavailable', 2],
  ['ctr: unexpected status from HEAD request to https://quay.io/v2/x/b/manifests/1: 503 Service Unavailable', 2],
  [refused, 1],
] as const) {
  test(`a pull is tried ${tries === 2 ? 'twice, visibly' : 'once'} that ends with: ${reason}`, async () => {
    let count = 0;
    const first = (line: string) => (pulledIn(line) && ++count === 1 ? { exitCode: 1, stderr: reason } : undefined);
    const told: string[] = [];
    const store = storeOf(machine({ registry: ['quay.io/x/b:1'] }, first), {
      onRetry: (why: string) => told.push(why),
    });
    const pulled = await store.ensure(['quay.io/x/b:1']).catch(() => 'refused');
    assert.deepEqual([pulled, count, told.length], [tries === 2 ? ['quay.io/x/b:1'] : 'refused', tries, tries - 1]);
    assert(told.every((why) => why.includes('quay.io/x/b:1') && /EOF|reset|503/.test(why)));
  });
}

const full = 'ctr: failed to copy: write /var/lib/containerd/x: no space left on device';
const gone = 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?';
type Work = (store: ReturnType<typeof storeOf>) => Promise<unknown>;
const ensure: Work = (store) => store.ensure(['quay.io/x/b:1']);
const copy: Work = (store) => store.importAs(new Map([['a:1', 'b:1']]));
const causes: [what: string, failing: RegExp, stderr: string, work: Work, ids: string[], says: RegExp][] = [
  ['a full disk', /images pull|image inspect/, full, ensure, ['image-not-pulled', 'disk-full'], /device\.\nThe disk/],
  ['a full disk', /^sh/, `x\n${full}\n`, copy, ['image-not-copied', 'disk-full'], /images b:1 .*: ctr: .*\nThe disk/],
  ['no Docker', /images pull/, gone, ensure, ['docker-not-running'], /^Docker/],
  ['no Docker', /image inspect/, gone, (store) => store.pull('b:1'), ['docker-not-running'], /^Docker/],
  ['no Docker', /ctr version|images list/, gone, ensure, ['docker-not-running'], /^Docker/],
  ['no Docker', /^sh/, gone, copy, ['docker-not-running'], /^Docker/],
];
for (const [what, failing, stderr, work, ids, says] of causes) {
  test(`${what} is the cause that is told, and no registry or network, where ${failing} fails`, async () => {
    const exec = machine({}, (line) => (failing.test(line) ? { exitCode: 1, stderr } : undefined));
    const { error, text } = await refusal(() => work(storeOf(exec)));
    assert.deepEqual(error.ids, ids);
    assert.match(text, says);
  });
}

test('an image that does not come in time is told, with how to give it more', async () => {
  const exec: Exec = async (command) => {
    const output = { stdout: '', stderr: '', exitCode: command.includes('inspect') ? 1 : 0 };
    if (command.includes('pull')) throw new CommandError(command, output, 600_000);
    return output;
  };
  for (const work of [ensure, (store: ReturnType<typeof storeOf>) => store.pull('quay.io/x/b:1')]) {
    const { error } = await refusal(() => work(storeOf(exec)));
    assert.equal(error.id, 'image-not-pulled');
    assert.match(error.message, /quay\.io\/x\/b:1 .*600 s/);
    assert.match(error.hint ?? '', /--timeout 1800/);
  }
});

test('an image that Docker had to pull is told, and one that it had is not', async () => {
  const told: string[] = [];
  const has = new Set(['a:1']);
  const exec = fakeExec((line) => {
    const image = line.split(' ').at(-1) ?? '';
    if (line.startsWith('docker pull')) has.add(image);
    return line.startsWith('docker image inspect') ? { exitCode: has.has(image) ? 0 : 1 } : {};
  });
  const store = storeOf(exec, { onPulled: async (image: string) => void told.push(image) });
  for (const image of ['a:1', 'b:1', 'b:1']) await store.pull(image);
  assert.deepEqual(told, ['b:1']);
});
