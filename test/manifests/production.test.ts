// What production is given besides, and the examples for it.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { appliedManifests } from '../../scripts/components/applied.ts';
import { productionFolder, readRegistrations } from '../../scripts/repository/registrations.ts';
import { type Manifest, root } from '../support/helm.ts';
import { conforms, needsKubeconform } from '../support/kubeconform.ts';
import { gitExec } from '../support/repository.ts';

const read = (file: string) => readFileSync(join(root, file), 'utf8');
const objectsIn = (text: string) => parseAllDocuments(text).map((document) => document.toJS() as Manifest & Fields);
type Fields = { spec: Record<string, unknown> };

const files = readdirSync(join(root, productionFolder))
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => `${productionFolder}/${name}`);
const written = files.flatMap((file) => objectsIn(read(file)));

/** An example is a comment without a space; prose has one. */
const projectText = read('argocd/project.yaml');
const examples = projectText.replaceAll(/^( *)#(?=\S)/gm, '$1');

test(
  'kubeconform --strict finds nothing in what production is given, nor in the examples',
  needsKubeconform,
  async () => {
    assert.deepEqual(written.map(({ kind }) => kind).sort(), ['AppProject', 'Application', 'ConfigMap']);
    const [project] = objectsIn(examples);
    assert.deepEqual(await conforms([...written, project as Manifest]), []);
    assert.match(
      (await conforms([{ ...project, spec: { syncWindows: [{ kinds: 'deny' }] } } as never])).join(),
      /kinds/,
    );
  },
);

test('the examples add to the project, which has neither as it is applied', () => {
  const [[now], [then]] = [objectsIn(projectText), objectsIn(examples)];
  const { syncWindows, orphanedResources, ...rest } = then?.spec ?? {};
  assert.deepEqual(rest, now?.spec);
  assert.equal((syncWindows as object[]).length, 1);
  assert.equal((orphanedResources as { ignore: object[] }).ignore.length, 1);
});

test('nothing here applies any of it', async () => {
  const { objects } = await readRegistrations(root);
  const isApplied = await appliedManifests({ config: { root, gitops: undefined }, exec: gitExec }, objects);
  assert.deepEqual(files.filter(isApplied), []);
  const registered = objects.map(({ metadata }) => metadata.name);
  for (const { metadata } of written) assert(!registered.includes(metadata.name), metadata.name);
});
