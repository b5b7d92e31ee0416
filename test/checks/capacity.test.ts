import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capacityForADay, readPrometheusLimits, sizeInBytes } from '../../scripts/checks/verify/capacity.ts';
import { root } from '../support/helm.ts';

const mebibyte = 1024 * 1024;
const room = { disk: 512 * mebibyte, memory: 512 * mebibyte };
const load = { samplesPerSecond: 500, bytesPerSample: 1.5, series: 7000 };

test('a day fits, and the calculation is shown', () => {
  const { fits, sentences } = capacityForADay(load, room);
  assert(fits);
  assert.deepEqual(sentences, [
    '24 h × 500 samples/s × 1.50 bytes/sample (measured) = 62 MiB of 512 MiB of disk',
    '120 MiB + 7000 series × 8 KiB = 175 MiB of 512 MiB of memory',
  ]);
});

test('until a block is written, the size of a sample is assumed, and said so', () => {
  const { sentences } = capacityForADay({ ...load, bytesPerSample: undefined }, room);
  assert.match(sentences[0], /3\.00 bytes\/sample \(assumed: it has written no block yet\) = 124 MiB/);
});

for (const [what, change] of [
  ['the disk', { samplesPerSecond: 5000 }],
  ['the disk, by samples that compress badly', { bytesPerSample: 13 }],
  ['the memory', { series: 60_000 }],
] as const) {
  test(`a day does not fit ${what}`, () => assert(!capacityForADay({ ...load, ...change }, room).fits));
}

test('what Prometheus has is what the manifests give it', async () => {
  assert.deepEqual(await readPrometheusLimits(root), room);
});

test('sizes as Kubernetes and as Prometheus write them', () => {
  assert.equal(sizeInBytes('1Gi'), 1024 * mebibyte);
  assert.equal(sizeInBytes('1.5GB'), 1536 * mebibyte);
  assert.equal(sizeInBytes('512MiB'), 512 * mebibyte);
  assert.throws(() => sizeInBytes('lots'), /no size/);
});
