import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  argocd,
  compareVersions,
  isAtLeast,
  kubernetesVersion,
  nodeImage,
  parseVersion,
  stubBaseImage,
  type Version,
} from '../../scripts/config/versions.ts';
import { textOf } from '../support/tracked-files.ts';

test('the manifests that name the same images name the same versions, and the release of Argo CD is the pinned one', () => {
  assert.match(textOf('cluster/git-server.yaml'), new RegExp(`image: quay.io/argoproj/argocd:${argocd.version}\n`));
  assert.match(textOf('standins/Dockerfile'), new RegExp(`^FROM ${stubBaseImage}$`, 'm'));
  assert(textOf('.env.example').includes(nodeImage));
  assert(argocd.installUrl.includes(`/${argocd.version}/`));
  assert.match(argocd.installSha256, /^[0-9a-f]{64}$/);
});

test('the tag of a node image is its version of Kubernetes, whatever its registry is called', () => {
  for (const [image, version] of [
    ['kindest/node:v1.36.4', 'v1.36.4'],
    ['kindest/node:1.34.0', 'v1.34.0'],
    ['kindest/node:v1.36.4@sha256:0123', 'v1.36.4'],
    ['registry.example:5000/kindest/node:v1.35.1', 'v1.35.1'],
    ['10.0.0.1/kindest/node:v1.35.1', 'v1.35.1'],
    ['10.0.0.1:5000/kindest/node:v1.35.1@sha256:0123', 'v1.35.1'],
  ] as const)
    assert.equal(kubernetesVersion(image), version, image);
  for (const image of ['kindest/node', 'kindest/node:latest', '10.0.0.1:5000/kindest/node'])
    assert.throws(() => kubernetesVersion(image), /names no version of Kubernetes/);
});

test('the first version in a text is read', () => {
  for (const [text, expected] of [
    ['v1.36.4', '1.36.4'],
    ['kind v0.33.0 go1.26.8 linux/amd64', '0.33.0'],
    ['20.10.24+dfsg1', '20.10.24'],
    ['v1.32.4-dispatcher', '1.32.4'],
    ['git version 2.39.5 (Apple Git-154)', '2.39.5'],
    ['v4.3', '4.3.0'],
    ['latest', undefined],
    ['', undefined],
  ] as const) {
    const found = parseVersion(text);
    assert.equal(found && `${found.major}.${found.minor}.${found.patch}`, expected, text);
  }
});

test('versions are compared by number, not by letter', () => {
  for (const [text, minimum, expected] of [
    ['v0.9.0', '0.10.0', false],
    ['0.10.0', '0.10.0', true],
    ['4.0.0', '3.14.0', true],
    ['3.13.9', '3.14.0', false],
    ['unknown', '0.0.0', false],
  ] as const)
    assert.equal(isAtLeast(text, minimum), expected, `${text} ${minimum}`);
  const sorted = ['1.10.0', '1.9.10', '1.9.2'].map((text) => parseVersion(text) as Version).sort(compareVersions);
  assert.deepEqual(
    sorted.map(({ minor, patch }) => `${minor}.${patch}`),
    ['9.2', '9.10', '10.0'],
  );
});
