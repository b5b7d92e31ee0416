// What the charts render is what test/golden has. UPDATE_GOLDEN=1 npm test -- golden writes what is rendered now: read the diff.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Document, isCollection, visit } from 'yaml';
import { type Environment, needsHelm, render, root } from '../support/helm.ts';

/** CI changes the image with every promotion, so here it is always the same one. */
const image = ['--set-string', 'image.repository=ghcr.io/owner/service,image.tag=a1b2c3d'];
const everything = [
  '--set',
  'serviceMonitor.enabled=true,sealedSecret.enabled=true,sealedSecret.encryptedData.TOKEN=AgB',
];

const cases: { service: string; environment: Environment; options?: string[] }[] = [
  { service: 'api-node', environment: 'prod', options: everything },
  { service: 'api-node', environment: 'dev' },
  { service: 'core-go', environment: 'prod' },
  { service: 'worker-python', environment: 'prod' },
];

describe('the charts render as before', needsHelm, () => {
  for (const { service, environment, options = [] } of cases) {
    test(`${service} (${environment})`, async () => {
      const file = join(root, `test/golden/${service}-${environment}.yaml`);
      const manifests = await render(service, { environment, options: [...image, ...options] });
      const text = manifests.map(asYaml).sort().join('---\n');
      if (process.env.UPDATE_GOLDEN !== undefined) writeFileSync(file, text);
      assert.equal(text, readFileSync(file, 'utf8'));
    });
  }
});

/** An object in YAML, with whatever is short on one line. */
function asYaml(manifest: object): string {
  const document = new Document(manifest);
  visit(document, (_, node) => {
    if (isCollection(node) && JSON.stringify(node).length < 100) node.flow = true;
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}
