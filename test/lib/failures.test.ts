import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError, UserError } from '../../scripts/lib/errors.ts';
import { assertNoFailures, type TaskResult } from '../../scripts/lib/tasks.ts';
import { refusal } from '../support/fakes.ts';

const failed = (error: unknown): TaskResult => ({ state: 'failed', error });
const gone = () =>
  failed(new UserError('Docker does not answer any more.', { id: 'docker-not-running', hint: 'Start it.' }));

test('steps that failed for the same reason are told together, the others each with its own', async () => {
  const results = new Map([
    ['cluster', { state: 'done' } as TaskResult],
    ['argo-cd', gone()],
    [
      'ingress',
      failed(new UserError('No webhook.', { cause: new UserError('x', { id: ['not-applied', 'no-cluster'] }) })),
    ],
    ['grafana', gone()],
    ['routes', { state: 'skipped', because: 'ingress' } as TaskResult],
  ]);
  const { error, text } = await refusal(() => assertNoFailures(results));
  assert.deepEqual(error.ids, ['docker-not-running', 'not-applied', 'no-cluster']);
  assert.equal(
    text,
    'argo-cd, grafana: Docker does not answer any more.\n  → Start it.\n✖ ingress: No webhook.\nnpm run doctor',
  );
});

test('where nothing failed nothing is thrown, a bug is thrown as it is, and the first exit code counts', async () => {
  assertNoFailures(new Map([['a', { state: 'done' } as TaskResult]]));
  const bug = new TypeError('x is undefined');
  assert.throws(
    () =>
      assertNoFailures(
        new Map([
          ['a', gone()],
          ['b', failed(bug)],
        ]),
      ),
    (error) => error === bug,
  );
  assert.equal(
    (await refusal(() => assertNoFailures(new Map([['a', failed(new UsageError('wrong'))]])))).error.exitCode,
    2,
  );
});
