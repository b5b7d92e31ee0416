import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { argocd, kubernetesVersion, nodeImage, stubBaseImage } from '../../scripts/config/versions.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');

describe('versions.ts', () => {
  it('agrees with the manifests that name the same images', () => {
    assert.match(read('cluster/git-server.yaml'), new RegExp(`image: quay.io/argoproj/argocd:${argocd.version}\n`));
    assert.match(read('standins/Dockerfile'), new RegExp(`^FROM ${stubBaseImage}$`, 'm'));
    assert.ok(read('.env.example').includes(nodeImage));
  });

  it('names the release of Argo CD whose manifest it pins', () => {
    assert.ok(argocd.installUrl.includes(`/${argocd.version}/`));
    assert.match(argocd.installSha256, /^[0-9a-f]{64}$/);
  });

  it('tells the version of Kubernetes from a node image', () => {
    assert.equal(kubernetesVersion(nodeImage), 'v1.36.4');
    assert.equal(kubernetesVersion('registry.example.com:5000/kindest/node:1.34.0'), 'v1.34.0');
    assert.throws(() => kubernetesVersion('kindest/node:latest'), /no version/);
  });
});
