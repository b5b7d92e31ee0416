import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findContainer, findExisting } from '../../scripts/lib/docker/containers.ts';
import { ensureImage, fullImageName } from '../../scripts/lib/docker/images.ts';
import { ExitCode } from '../../scripts/lib/errors.ts';
import { fakeExec, refusal } from '../support/fakes.ts';

const names: [string, string][] = [
  ['node:22-alpine', 'docker.io/library/node:22-alpine'],
  ['kindest/node:v1.36.4', 'docker.io/kindest/node:v1.36.4'],
  ['docker.io/library/node:22', 'docker.io/library/node:22'],
  ['ghcr.io/zainasr/core-go:1df3b1f', 'ghcr.io/zainasr/core-go:1df3b1f'],
  ['registry:5000/a/b:1', 'registry:5000/a/b:1'],
  ['localhost/a:1', 'localhost/a:1'],
  ['platform-ops/stand-in-core-go:1', 'docker.io/platform-ops/stand-in-core-go:1'],
];
for (const [image, full] of names) {
  test(`containerd calls ${image} ${full}`, () => assert.equal(fullImageName(image), full));
}

const image = 'quay.io/argoproj/argocd:v3.5.7';
/** A Docker that has no image and says that when it pulls. */
const without = (stderr: string) =>
  fakeExec((line) => (line.startsWith('docker image inspect') ? { exitCode: 1 } : { exitCode: 1, stderr }));

const socketGone =
  'failed to connect to the docker API at unix:///run/docker.sock; check if the path is correct and if the daemon is running: dial unix /run/docker.sock: connect: no such file or directory';
for (const [stderr, exitCode] of [
  [socketGone, 1],
  ['error during connect: Get "http://docker.lan:2375/v1.48/volumes/v": dial tcp: lookup docker.lan: no such host', 1],
  ['sh: 1: exec: docker: not found', 127],
] as const) {
  test(`a Docker that went away does not say that a thing is gone: ${stderr.slice(0, 30)}`, async () => {
    const exec = fakeExec(() => ({ exitCode, stderr }));
    assert.equal((await refusal(() => findExisting(exec, 'volume', ['v']))).error.id, 'docker-odd');
  });
}

for (const stderr of [
  'Error response from daemon: No such container: v',
  'Error response from daemon: get v: no such volume',
  'Error response from daemon: network v not found',
  'Error response from daemon: No such image: v:latest',
]) {
  test(`Docker says that a thing is gone: ${stderr}`, async () => {
    assert.deepEqual(
      await findExisting(
        fakeExec(() => ({ exitCode: 1, stderr })),
        'volume',
        ['v'],
      ),
      [],
    );
  });
}

test('an image that is there is not pulled', async () => {
  const exec = fakeExec(() => ({}));
  await ensureImage(exec, image);
  assert.deepEqual(
    exec.lines().filter((line) => line.includes('pull')),
    [],
  );
});

test('an image that is not there is pulled once', async () => {
  const exec = fakeExec((line) => (line.includes('inspect') ? { exitCode: 1 } : {}));
  await ensureImage(exec, image);
  assert.deepEqual(exec.lines().slice(1), [`docker pull --quiet ${image}`]);
});

const reasons: [string, string][] = [
  ['Error response from daemon: manifest unknown\n', 'manifest unknown'],
  ['a warning\nError response from daemon: no route to host.\n\n', 'no route to host'],
  ['', 'no reason given'],
];
for (const [stderr, reason] of reasons) {
  test(`a pull that fails names image, registry and "${reason}"`, async () => {
    const { error } = await refusal(() => ensureImage(without(stderr), image));
    assert.equal(error.id, 'image-not-pulled');
    assert(error.message.includes(image) && error.message.endsWith(` quay.io: ${reason}.`), error.message);
    assert(error.hint?.includes(`docker pull ${image}`), error.hint);
    assert.equal(error.exitCode, ExitCode.failed);
  });
}

test('a pull that a proxy refuses leads to the section about proxies', async () => {
  const said = 'failed to do request: Head "https://quay.io/v2/": ';
  for (const why of [
    'proxyconnect tcp: dial tcp 172.17.0.1:1: connect: connection refused',
    'Proxy Authentication Required',
  ]) {
    const { error } = await refusal(() => ensureImage(without(said + why), image));
    assert.deepEqual(error.ids, ['image-not-pulled', 'proxy']);
    assert.match(error.hint ?? '', /^The proxy is in the way: npm run doctor/);
  }
});

const inspected = {
  State: { Status: 'exited' },
  Config: { Image: 'kindest/node:v1', Labels: { a: 'b' } },
  HostConfig: {
    Binds: ['/lib/modules:/lib/modules:ro', '/a folder/.git:/platform-ops/git:ro'],
    PortBindings: { '80/tcp': [{ HostPort: '8080' }], '9/tcp': null },
  },
};
const showing = (found: unknown) => fakeExec(() => ({ stdout: JSON.stringify([found]) }));

test('a container is read with its state, mounts and ports', async () => {
  const container = await findContainer(showing(inspected), 'x');
  assert.equal(container?.state, 'exited');
  assert.equal(container.binds.get('/platform-ops/git'), '/a folder/.git');
  assert.equal(container.ports.get('80/tcp'), 8080);
});

test('a container without mounts and ports is read, too', async () => {
  const bare = { ...inspected, Config: { Image: 'x' }, HostConfig: { Binds: null, PortBindings: null } };
  const container = await findContainer(showing(bare), 'x');
  assert.deepEqual([container?.binds.size, container?.ports.size], [0, 0]);
});

test('no such container is none; a Docker that cannot tell is an error with its words', async () => {
  const failing = (stderr: string) => fakeExec(() => ({ exitCode: 1, stderr }));
  assert.equal(await findContainer(failing('Error: No such container: x'), 'x'), undefined);
  const { text } = await refusal(() => findContainer(failing('Cannot connect to the Docker daemon\n'), 'x'));
  assert.match(text, /does not answer: Cannot connect to the Docker daemon\nnpm run doctor/);
});
