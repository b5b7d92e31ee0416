import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kubernetesVersion } from '../../scripts/config/versions.ts';

const images: [string, string][] = [
  ['kindest/node:v1.36.4', 'v1.36.4'],
  ['kindest/node:1.34.0', 'v1.34.0'],
  ['kindest/node:v1.36.4@sha256:0123', 'v1.36.4'],
  ['registry.example:5000/kindest/node:v1.35.1', 'v1.35.1'],
  ['10.0.0.1/kindest/node:v1.35.1', 'v1.35.1'],
  ['10.0.0.1:5000/kindest/node:v1.35.1@sha256:0123', 'v1.35.1'],
];
for (const [image, version] of images) {
  test(`${image} brings Kubernetes ${version}`, () => assert.equal(kubernetesVersion(image), version));
}

test('an image without a version is none of Kubernetes, whatever its registry is called', () => {
  for (const image of ['kindest/node', 'kindest/node:latest', '10.0.0.1:5000/kindest/node'])
    assert.throws(() => kubernetesVersion(image), /names no version of Kubernetes/);
});
