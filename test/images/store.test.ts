import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { createImageStore } from '../../scripts/images/store.ts';
import { Interrupted } from '../../scripts/lib/errors.ts';
import { CommandError, type Exec, type Output } from '../../scripts/lib/exec.ts';
import { fakeExec, refusal } from '../support/fakes.ts';

const { signal } = new AbortController();
const storeOf = (exec: Exec) => createImageStore(exec, 'node', signal);
const refused = 'ctr: failed to resolve reference "quay.io/x/b:1": unexpected status 401 Unauthorized';

/** A machine by the images that its node has, that the node can get, and that Docker has. */
function machine({
  node = [],
  registry = [],
  docker = [],
}: {
  node?: string[];
  registry?: string[];
  docker?: string[];
}) {
  const has = new Set(node);
  return fakeExec((line): Partial<Output> => {
    if (line.endsWith(' images list'))
      return { stdout: ['REF TYPE DIGEST', ...[...has].map((name) => `${name} x sha256:0`), ''].join('\n') };
    const [, wanted = ''] = line.match(/^docker exec node ctr .* images pull .*?(\S+)$/) ?? [];
    if (wanted !== '') {
      if (!registry.includes(wanted)) return { exitCode: 1, stderr: `time="x" level=info\n${refused}\n` };
      has.add(wanted);
    }
    if (line.startsWith('docker image inspect')) return { exitCode: docker.some((one) => line.endsWith(one)) ? 0 : 1 };
    return {};
  });
}
const pulls = (exec: ReturnType<typeof fakeExec>) =>
  exec.lines().flatMap((line) => line.match(/images pull .*?(\S+)$/)?.[1] ?? []);
const imports = (exec: ReturnType<typeof fakeExec>) =>
  exec.calls.filter(({ command }) => command[0] === 'bash').map(({ command }) => command.slice(3));

test('only what the node lacks is pulled, by the node, under the full name; Docker here pulls nothing', async () => {
  const exec = machine({ node: ['docker.io/library/a:1'], registry: ['docker.io/library/b:1', 'docker.io/c/d:1'] });
  assert.deepEqual(await storeOf(exec).ensure(['a:1', 'b:1', 'c/d:1']), ['b:1', 'c/d:1']);
  assert.deepEqual(pulls(exec), ['docker.io/library/b:1', 'docker.io/c/d:1']);
  assert.deepEqual(imports(exec), []);
  assert(!exec.lines().some((line) => line.startsWith('docker pull')));
});

test('what the node can’t get, but Docker here has, is copied into the node', async () => {
  const exec = machine({ docker: ['quay.io/x/b:1'] });
  assert.deepEqual(await storeOf(exec).ensure(['quay.io/x/b:1']), ['quay.io/x/b:1']);
  assert.deepEqual(imports(exec), [['import', 'node', 'quay.io/x/b:1']]);
});

test('what neither has is refused with image, registry and containerd’s reason', async () => {
  const exec = machine({});
  const { error } = await refusal(() => storeOf(exec).ensure(['quay.io/x/b:1']));
  assert.equal(error.id, 'image-not-pulled');
  assert.match(error.message, /quay\.io\/x\/b:1 .*quay\.io: unexpected status 401 Unauthorized\.$/);
  assert.match(error.hint ?? '', /docker pull quay\.io\/x\/b:1/);
  assert.deepEqual(imports(exec), []);
});

test('components that ask for an image at the same time share one pull, and both hear of it', async () => {
  const exec = machine({ registry: ['docker.io/library/a:1'] });
  const { ensure } = storeOf(exec);
  assert.deepEqual(await Promise.all([ensure(['a:1']), ensure(['a:1'])]), [['a:1'], ['a:1']]);
  assert.deepEqual(pulls(exec), ['docker.io/library/a:1']);
});

test('a pull that failed is tried anew by the next one who asks', async () => {
  const registry: string[] = [];
  const exec = machine({ registry });
  const { ensure } = storeOf(exec);
  await assert.rejects(ensure(['a:1']));
  registry.push('docker.io/library/a:1');
  assert.deepEqual(await ensure(['a:1']), ['a:1']);
});

test('no more than three pulls run at the same time, and all of them run', async () => {
  let [running, most] = [0, 0];
  const images = Array.from({ length: 8 }, (_, index) => `i${index}:1`);
  const inner = machine({ registry: images.map((name) => `docker.io/library/${name}`) });
  const exec: Exec = async (command, options) => {
    if (!command.includes('pull')) return inner(command, options);
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running -= 1;
    return inner(command, options);
  };
  const spare = Math.max(1, Math.min(4, availableParallelism() - 1));
  assert.deepEqual([await storeOf(exec).ensure(images), most], [images, spare]);
});

test('images are copied together, each of them once, and then called what the cluster asks for', async () => {
  const exec = machine({});
  const names: [string, string][] = [
    ['ghcr.io/a/x:1', 'stand-in:1'],
    ['ghcr.io/a/y:1', 'stand-in:1'],
  ];
  await storeOf(exec).importAs(new Map(names));
  assert.deepEqual(imports(exec), [['import', 'node', 'stand-in:1']]);
  const tags = exec.calls.map(({ command }) => command).filter((command) => command.includes('tag'));
  assert.deepEqual(
    tags.map((command) => command.slice(-2)),
    names.map(([target]) => ['docker.io/library/stand-in:1', target]),
  );
});

test('the node’s containerd is waited for, and an interruption ends the wait', async () => {
  let looks = 0;
  const starting = fakeExec((line) => {
    if (line.includes('ctr version')) looks += 1;
    return { exitCode: looks < 2 && /ctr version|images list$/.test(line) ? 1 : 0 };
  });
  const store = createImageStore(starting, 'node', signal);
  assert.deepEqual(await store.ensure([]), []);
  assert.equal(looks, 0);
  await Promise.all([store.ensure(['a:1']), store.ensure(['b:1'])]);
  assert.equal(looks, 2);
  const controller = new AbortController();
  const never = fakeExec(() => ({ exitCode: 1 }));
  const waiting = assert.rejects(createImageStore(never, 'node', controller.signal).ensure(['a:1']), Interrupted);
  controller.abort();
  await waiting;
});

test('where containerd runs, one look at its images says so, and tells what is to be kept as well', async () => {
  const exec = fakeExec((line) => ({
    stdout: line.endsWith('images list') ? 'REF\ndocker.io/library/a:1 x sha256:1' : '',
  }));
  const store = createImageStore(exec, 'node', signal);
  assert.deepEqual(await store.ensure(['a:1']), []);
  await store.keep();
  await store.inNode();
  assert.equal(exec.calls.length, 1);
  store.forget();
  await store.inNode();
  assert.equal(exec.calls.length, 2);
});

test('a pull that was cut in the middle is tried again, visibly; one that was refused is not', async () => {
  for (const [reason, tries] of [
    ['ctr: failed to copy: httpReadSeeker: failed open: unexpected EOF', 2],
    ['ctr: failed to copy: read tcp: connection reset by peer', 2],
    // containerd words it in three ways.
    ['ctr: pulling from host quay.io failed with status code [manifests v1]: 503 Service Unavailable', 2],
    ['ctr: unexpected status code https://quay.io/v2/x/b/blobs/sha256:0: 503 Service Unavailable', 2],
    ['ctr: unexpected status from HEAD request to https://quay.io/v2/x/b/manifests/1: 503 Service Unavailable', 2],
    [refused, 1],
  ] as const) {
    let count = 0;
    const exec = fakeExec((line) => {
      if (!/images pull/.test(line)) return /image inspect/.test(line) ? { exitCode: 1 } : {};
      count += 1;
      return count === 2 ? {} : { exitCode: 1, stderr: reason };
    });
    const told: string[] = [];
    const store = createImageStore(exec, 'node', signal, { onRetry: (why) => void told.push(why) });
    const pulled = await store.ensure(['quay.io/x/b:1']).catch(() => 'refused');
    assert.deepEqual(
      [pulled, count, told.length],
      [tries === 2 ? ['quay.io/x/b:1'] : 'refused', tries, tries - 1],
      reason,
    );
    if (tries === 2)
      assert.match(told[0] ?? '', /quay\.io\/x\/b:1 could not be pulled from quay\.io: .*(EOF|reset|503)/);
  }
});

test('a full disk is the cause that is told, and no network', async () => {
  const stderr = 'ctr: failed to copy: write /var/lib/containerd/x: no space left on device';
  const exec = fakeExec((line) => (/images pull|image inspect/.test(line) ? { exitCode: 1, stderr } : {}));
  const { text } = await refusal(() => storeOf(exec).ensure(['quay.io/x/b:1']));
  assert.match(text, /no space left on device\.\nThe disk is full: .*docker system prune/);
});

test('a Docker that is gone is the cause that is told, and no registry', async () => {
  const stderr = 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?';
  for (const failing of [/images pull/, /image inspect/, /ctr version|images list/, /^bash/]) {
    const exec = fakeExec((line) => (failing.test(line) ? { exitCode: 1, stderr } : {}));
    const store = storeOf(exec);
    const work = String(failing).includes('inspect')
      ? store.pull('quay.io/x/b:1')
      : Promise.all([store.ensure(['quay.io/x/b:1']), store.importAs(new Map([['a:1', 'b:1']]))]);
    assert.match(
      (await refusal(() => work)).text,
      /^Docker does not answer any more\.\nStart it again/,
      String(failing),
    );
  }
});

test('an image that does not come in time is told, with how to give it more', async () => {
  const exec: Exec = async (command) => {
    const output = { stdout: '', stderr: '', exitCode: command.includes('inspect') ? 1 : 0 };
    if (command.includes('pull')) throw new CommandError(command, output, 600_000);
    return output;
  };
  const store = storeOf(exec);
  for (const work of [() => store.pull('quay.io/x/b:1'), () => store.ensure(['quay.io/x/b:1'])]) {
    const { text } = await refusal(work);
    assert.match(text, /^The image quay\.io\/x\/b:1 did not come from quay\.io within 600 s\.\n.*--timeout 1800/);
  }
});

test('images that can’t be copied into the node are told with the reason, without the command', async () => {
  const said = 'ctr: failed to copy: no space left on device';
  const exec = fakeExec((line) => (line.startsWith('bash') ? { exitCode: 1, stderr: `x\n${said}\n` } : {}));
  const { text } = await refusal(() => storeOf(exec).importAs(new Map([['a:1', 'b:1']])));
  assert.match(
    text,
    /^The images b:1 could not be copied into the node node: ctr: .*no space left on device\nThe disk/,
  );
});

test('an image that Docker had to pull is told, and one that it had is not', async () => {
  const told: string[] = [];
  const has = new Set(['a:1']);
  const exec = fakeExec((line) => {
    const image = line.split(' ').at(-1) ?? '';
    if (line.startsWith('docker pull')) has.add(image);
    return line.startsWith('docker image inspect') ? { exitCode: has.has(image) ? 0 : 1 } : {};
  });
  const store = createImageStore(exec, 'node', signal, { onPulled: async (image) => void told.push(image) });
  for (const image of ['a:1', 'b:1', 'b:1']) await store.pull(image);
  assert.deepEqual(told, ['b:1']);
});
