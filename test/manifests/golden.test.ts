// What the charts render is what test/golden has. UPDATE_GOLDEN=1 npm test -- golden writes what is rendered now: read the diff.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { Document, isCollection, parse, visit } from 'yaml';
import { leaves } from '../../scripts/checks/validate/values.ts';
import { lastingFolder } from '../support/fakes.ts';
import { type Environment, type Manifest, needsHelm, oldestKubernetes, render, root } from '../support/helm.ts';
import { conforms, needsKubeconform } from '../support/kubeconform.ts';

/** CI changes the image with every promotion, so here it is always the same one. */
const image = ['--set-string', 'image.repository=ghcr.io/owner/service,image.tag=a1b2c3d'];
const everything = [
  '--set',
  'serviceMonitor.enabled=true,sealedSecret.enabled=true,sealedSecret.encryptedData.TOKEN=AgB',
];

const cases: { service: string; environment: Environment; options?: string[] }[] = [
  { service: 'api-node', environment: 'prod', options: everything },
  { service: 'api-node', environment: 'dev' },
  { service: 'api-node', environment: 'staging' },
  { service: 'core-go', environment: 'prod' },
  { service: 'core-go', environment: 'staging' },
  { service: 'worker-python', environment: 'prod' },
  { service: 'worker-python', environment: 'staging' },
];

/** By the name of the golden file, the values that make it. */
const values = parse(readFileSync(join(root, 'test/manifests/values.yaml'), 'utf8')) as Record<string, object>;

/** What has been rendered, for kubeconform. */
const rendered: Manifest[] = [];

describe('the charts render as before', { ...needsHelm, concurrency: 2 }, () => {
  for (const { service, environment, options = [] } of cases) {
    test(`${service} (${environment})`, async () => {
      const manifests = await render(service, { environment, options: [...image, ...options] });
      rendered.push(...manifests);
      compare(`${service}-${environment}.yaml`, manifests);
    });
  }
});

// Whole objects, but only those that are otherwise than in production.
describe('each value that no environment sets changes what it is for', { ...needsHelm, concurrency: 2 }, () => {
  let usual: Manifest[];
  before(async () => {
    usual = await render('api-node', { environment: 'prod', options: image });
  });

  for (const [name, given] of Object.entries(values)) {
    test(name, async () => {
      const file = join(lastingFolder(), 'values.yaml');
      writeFileSync(file, JSON.stringify(given));
      const options = [...image, '--values', file];
      const kubeVersion = name === 'manual' ? oldestKubernetes : undefined;
      const manifests = await render('api-node', { environment: 'prod', ...(kubeVersion && { kubeVersion }), options });
      rendered.push(...manifests);
      const changed = manifests.filter((one) => !usual.some((other) => isDeepStrictEqual(one, other)));
      assert(changed.length > 0);
      compare(`values/${name}.yaml`, changed);
    });
  }
});

test('each value of the schema is set somewhere', () => {
  const base = parse(readFileSync(join(root, 'helm/api-node/values.yaml'), 'utf8'));
  const schema = JSON.parse(readFileSync(join(root, 'helm/common/service.schema.json'), 'utf8'));
  const set = [base, ...Object.values(values)].flatMap((one) => leaves(one).map(({ path }) => path.join('.')));
  const { global: _, common: __, ...properties } = schema.properties;
  const missing = Object.entries<{ properties?: object }>(properties)
    .flatMap(([name, { properties: inner = {} }]) => [
      name,
      // false: a key that must not be there.
      ...Object.entries(inner).flatMap(([key, value]) => (value === false ? [] : [`${name}.${key}`])),
    ])
    .filter((name) => !set.some((path) => path === name || path.startsWith(`${name}.`)))
    // In place of maxUnavailable: test/manifests/charts.test.ts.
    .filter((name) => name !== 'podDisruptionBudget.minAvailable');
  assert.deepEqual(missing, []);
});

test('kubeconform --strict finds nothing in any of it', needsKubeconform, async () => {
  assert(rendered.length > 0);
  assert.deepEqual(await conforms(rendered), []);
  const [deployment] = rendered.filter(({ kind }) => kind === 'Deployment');
  const faulty = { ...deployment, spec: { ...Reflect.get(deployment ?? {}, 'spec'), replicaCount: 2 } } as never;
  assert.match((await conforms([faulty])).join(), /replicaCount/);
});

function compare(name: string, manifests: readonly Manifest[]): void {
  const file = join(root, 'test/golden', name);
  // A chart's version says nothing of what it renders.
  const text = manifests
    .map(asYaml)
    .sort()
    .join('---\n')
    .replaceAll(/(helm\.sh\/chart: [\w-]+)-[\d.]+/g, '$1');
  if (process.env.UPDATE_GOLDEN !== undefined) writeFileSync(file, text);
  assert.equal(text, readFileSync(file, 'utf8'));
}

/** An object in YAML, with whatever is short on one line. */
function asYaml(manifest: object): string {
  const document = new Document(manifest);
  visit(document, (_, node) => {
    if (isCollection(node) && JSON.stringify(node).length < 100) node.flow = true;
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}
