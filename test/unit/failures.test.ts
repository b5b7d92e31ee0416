import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError, UserError } from '../../scripts/lib/errors.ts';
import { refuseFailures } from '../../scripts/lib/failures.ts';
import type { Result } from '../../scripts/lib/graph.ts';
import { refusal } from '../support/fakes.ts';

const failed = (error: unknown): Result => ({ state: 'failed', error });
const gone = () => failed(new UserError('Docker does not answer any more.', { hint: 'Start it.' }));

test('steps that failed for the same reason are told together, the others each with its own', async () => {
  const results = new Map([
    ['cluster', { state: 'done' } as Result],
    ['argo-cd', gone()],
    ['ingress', failed(new UserError('No webhook.'))],
    ['grafana', gone()],
    ['routes', { state: 'skipped', because: 'ingress' } as Result],
  ]);
  const { text } = await refusal(() => refuseFailures(results));
  assert.equal(
    text,
    'argo-cd, grafana: Docker does not answer any more.\n  → Start it.\n✖ ingress: No webhook.\nnpm run doctor',
  );
});

test('where nothing failed nothing is thrown, a bug is thrown as it is, and the first exit code counts', async () => {
  refuseFailures(new Map([['a', { state: 'done' } as Result]]));
  const bug = new TypeError('x is undefined');
  assert.throws(
    () =>
      refuseFailures(
        new Map([
          ['a', gone()],
          ['b', failed(bug)],
        ]),
      ),
    (error) => error === bug,
  );
  assert.equal(
    (await refusal(() => refuseFailures(new Map([['a', failed(new UsageError('wrong'))]])))).error.exitCode,
    2,
  );
});
