import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import { withTemplates } from '../../scripts/kubernetes/workloads.ts';

interface Template {
  spec: { containers: { name: string; image?: string }[] };
}

const workload = (kind: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'core-go' },
  spec: { replicas: 2, template: { spec: { containers: [{ name: 'core-go' }] } } },
});

test('a Deployment has the edited template and all else as before; others stay, and so does what was given', () => {
  const given = [workload('Deployment'), workload('StatefulSet')];
  const before = structuredClone(given);
  const changed = withTemplates(given, ({ spec }: Template) => {
    for (const container of spec.containers) container.image = 'another';
  });
  assert.deepEqual(changed[0]?.spec, {
    replicas: 2,
    template: { spec: { containers: [{ name: 'core-go', image: 'another' }] } },
  });
  assert.deepEqual(changed[0]?.metadata, { name: 'core-go' });
  assert.equal(changed[1], given[1]);
  assert.deepEqual(given, before);
});
