// What the scripts apply of a folder is what `kubectl apply -k` applies of it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { kustomizationFile } from '../../scripts/kubernetes/kustomization.ts';
import { identityOf, parseObjects } from '../../scripts/kubernetes/objects.ts';
import { readKustomizedObjects } from '../../scripts/repository/manifests.ts';
import { openRepository } from '../../scripts/repository/rendering/repository.ts';
import { noTools } from '../support/fakes.ts';
import { root } from '../support/helm.ts';

const skip = spawnSync('kubectl', ['version', '--client']).error ? 'kubectl is not on the PATH' : false;
const files = await openRepository(root, noTools).files('observability');
const folders = files.filter((file) => file.endsWith(`/${kustomizationFile}`)).map((file) => dirname(file));

test('there is something to compare', () => assert(folders.length > 0));

for (const folder of folders) {
  test(`${folder} is the same for kubectl apply -k and for npm run up`, { skip }, async () => {
    const { stdout, stderr, status } = spawnSync('kubectl', ['kustomize', join(root, folder)], {
      encoding: 'utf8',
      maxBuffer: 16 * 1024 * 1024,
    });
    assert.equal(status, 0, stderr);
    const byName = (objects: ReturnType<typeof parseObjects>) =>
      new Map(objects.map((object) => [identityOf(object), structuredClone({ ...object })]));
    assert.deepEqual(byName(await readKustomizedObjects(root, folder)), byName(parseObjects(stdout, folder)));
  });
}
