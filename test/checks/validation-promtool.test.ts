// Where `npm run validate` takes promtool from when the toolbox has none.
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { test } from 'node:test';
import { findPromtool, inTemporaryFolder } from '../../scripts/checks/validate/prometheus/promtool.ts';
import { UsageError } from '../../scripts/lib/errors.ts';
import type { Repository } from '../../scripts/repository/rendering/repository.ts';
import { fakeExec, refusal } from '../support/fakes.ts';

const image = 'docker.io/prom/prometheus:v3.0.0';
const manifests = async () => [
  { object: { kind: 'Service' } },
  { object: { kind: 'Deployment', spec: { template: { spec: { containers: [{ image }] } } } } },
];
const repository = { manifests } as unknown as Repository;
const none = () => Promise.reject(new UsageError('promtool is missing.', 'Install it.'));

test('the one of the machine, where there is one', async () => {
  const exec = fakeExec(() => ({}));
  const promtool = await findPromtool(repository, {
    exec,
    find: async (name) => ({ name, path: '/bin/promtool', version: '3.0.0', source: 'path' }),
  });
  await promtool('/tmp/x', ['check', 'rules', '/tmp/x/r.yml']);
  assert.deepEqual(exec.lines(), ['/bin/promtool check rules /tmp/x/r.yml']);
});

test("else the one in Prometheus' image, which sees the files under the same path and no network", async () => {
  const exec = fakeExec(() => ({}));
  const promtool = await findPromtool(repository, { exec, find: none });
  await promtool('/tmp/x', ['check', 'rules', '/tmp/x/r.yml']);
  const [probe, call] = exec.lines();
  assert.equal(probe, `docker run --rm --entrypoint promtool ${image} --version`);
  assert.equal(
    call,
    `docker run --rm --volume /tmp/x:/tmp/x:ro --network none --entrypoint promtool ${image} check rules /tmp/x/r.yml`,
  );
});

test('else there is none, as the toolbox says', async () => {
  const exec = fakeExec(() => ({ exitCode: 125 }));
  const { text } = await refusal(() => findPromtool(repository, { exec, find: none }));
  assert.equal(text, 'promtool is missing.\nInstall it.');
});

test('the folder may be read by another user, and is gone afterwards', async () => {
  let made = '';
  await inTemporaryFolder(async (folder) => {
    made = folder;
    assert.equal((await stat(folder)).mode & 0o777, 0o755);
  });
  await assert.rejects(stat(made), { code: 'ENOENT' });
});
