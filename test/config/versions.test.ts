import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { argocd, kubernetesVersion, nodeImage, stubBaseImage } from '../../scripts/config/versions.ts';
import { root } from '../support/helm.ts';

test('the manifests that name the same images name the same versions', () => {
  const read = (file: string) => readFileSync(join(root, file), 'utf8');
  assert.match(read('cluster/git-server.yaml'), new RegExp(`image: quay.io/argoproj/argocd:${argocd.version}\n`));
  assert.match(read('standins/Dockerfile'), new RegExp(`^FROM ${stubBaseImage}$`, 'm'));
  assert.ok(read('.env.example').includes(nodeImage));
});

test('the release of Argo CD is the one whose manifest is pinned', () => {
  assert.ok(argocd.installUrl.includes(`/${argocd.version}/`));
  assert.match(argocd.installSha256, /^[0-9a-f]{64}$/);
});

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
