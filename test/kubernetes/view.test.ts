import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiServer } from '../../scripts/kubernetes/api/api.ts';
import { createView } from '../../scripts/kubernetes/api/view.ts';

/** An API server that counts what it is asked for. */
function counting() {
  const asked: string[] = [];
  const list = async (_: string, kind: string) => {
    asked.push(kind);
    return [];
  };
  const listMetadata = async (_: string, kind: string) => {
    asked.push(`${kind} metadata`);
    return [];
  };
  return { asked, api: { list, listMetadata } as unknown as ApiServer };
}

test('who looks once is told of one moment, however long it takes; who waits sees what changes', (t) => {
  t.mock.timers.enable({ apis: ['Date'] });
  const [once, waiting] = [counting(), counting()];
  const views = [createView(once.api, Infinity), createView(waiting.api)];
  for (const view of views) void view.list('v1', 'Pod');
  t.mock.timers.tick(299);
  for (const view of views) void view.list('v1', 'Pod');
  assert.deepEqual([once.asked, waiting.asked], [['Pod'], ['Pod']]);
  t.mock.timers.tick(60_000);
  for (const view of views) void view.list('v1', 'Pod');
  assert.deepEqual([once.asked, waiting.asked], [['Pod'], ['Pod', 'Pod']]);
});

test('workloads are asked for as a whole, of other kinds the names are enough, and forgotten is forgotten', () => {
  const { asked, api } = counting();
  const view = createView(api, Infinity);
  void view.listHeads('apps/v1', 'Deployment');
  void view.list('apps/v1', 'Deployment');
  void view.listHeads('v1', 'ConfigMap');
  void view.listHeads('v1', 'ConfigMap');
  view.forget();
  void view.listHeads('v1', 'ConfigMap');
  assert.deepEqual(asked, ['Deployment', 'ConfigMap metadata', 'ConfigMap metadata']);
});
