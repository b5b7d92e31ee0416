import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  criticalPath,
  criticalPathLine,
  eventSpans,
  timeline,
  writeTimeline,
} from '../../scripts/kubernetes/timeline.ts';
import { createTrace, createWaitTracer, type Span } from '../../scripts/lib/trace.ts';
import { made } from '../support/fake-cluster.ts';
import { fakeContext, temporaryFolder } from '../support/fakes.ts';

const step = (name: string, needs: string[], start: number, end: number) => ({ name, needs, start, end });
const span = (category: Span['category'], name: string, start: number, end: number): Span => ({
  category,
  name,
  start,
  end,
  details: {},
});

test('the critical path leads from the step that was done last over the last done of what each needed', () => {
  const steps = [
    step('cluster', [], 0, 16_000),
    step('argo-cd', ['cluster'], 16_000, 28_000),
    step('git-source', ['cluster'], 16_000, 20_000),
    step('applications', ['argo-cd', 'git-source'], 28_000, 35_500),
    step('grafana', ['cluster'], 16_000, 30_000),
  ];
  assert.deepEqual(
    criticalPath(steps).map(({ name }) => name),
    ['cluster', 'argo-cd', 'applications'],
  );
  assert.equal(criticalPathLine(steps), 'cluster 16.0 s → argo-cd 12.0 s → applications 7.5 s');
  assert.equal(criticalPathLine([]), '');
  assert.equal(criticalPathLine([step('cluster', [], 0, 30), step('apps', ['cluster'], 30, 530)]), 'apps 0.5 s');
});

test('keeps book of work that fails, and of what is not over yet', async () => {
  const trace = createTrace();
  await assert.rejects(trace.during('command', 'false', () => Promise.reject(new Error('no'))));
  trace.begin('wait', 'for ever');
  const [failed, waiting] = trace.spans();
  assert(failed && waiting && failed.end >= failed.start && waiting.end >= waiting.start);
  assert.deepEqual([failed.name, waiting.category], ['false', 'wait']);
});

test('what is waited for is a span until something else is', () => {
  const trace = createTrace();
  const tell = createWaitTracer(trace);
  for (const missing of ['a', 'a', 'b', undefined, undefined, 'a']) tell(missing);
  assert.deepEqual(
    trace.spans().map(({ category, name }) => `${category} ${name}`),
    ['wait a', 'wait b', 'wait a'],
  );
  createWaitTracer(undefined)('nobody keeps book');
});

test('the timeline lays what overlaps side by side, and what follows behind it', () => {
  const { traceEvents } = timeline(
    [span('image', 'b', 1500, 2500), span('image', 'a', 1000, 2000), span('image', 'c', 2000, 3000)],
    1000,
  );
  const drawn = traceEvents.filter(({ ph }) => ph === 'X').map(({ name, tid, ts, dur }) => [name, tid, ts, dur]);
  assert.deepEqual(drawn, [
    ['a', 1, 0, 1_000_000],
    ['b', 2, 500_000, 1_000_000],
    ['c', 1, 1_000_000, 1_000_000],
  ]);
});

test('events of the cluster are marks, from the beginning of the command on', () => {
  const event = (reason: string, lastTimestamp: string) => ({
    ...made('Event', reason),
    reason,
    message: 'said',
    lastTimestamp,
    involvedObject: { kind: 'Pod', name: 'web-1' },
  });
  const epoch = Date.parse('2026-01-01T00:00:00Z');
  const told = [event('Pulled', '2026-01-01T00:00:05Z'), event('Earlier', '2025-12-31T23:59:59Z')];
  const spans = eventSpans([...told, made('Event', 'without a time')], epoch, 0);
  assert.deepEqual(spans, [
    { category: 'event', name: 'Pulled Pod web-1', start: 5000, end: 5000, details: { message: 'said' } },
  ]);
  const marks = timeline(spans, 0).traceEvents.filter(({ ph }) => ph === 'i');
  assert.deepEqual(
    marks.map(({ ts, args }) => [ts, args.message]),
    [[5_000_000, 'said']],
  );
});

test('is written for its owner alone, also where no cluster answers; and a file that can not be is said', async () => {
  const folder = await temporaryFolder();
  const api = () => {
    throw new Error('no cluster');
  };
  const context = fakeContext({ config: { root: folder }, api });
  const trace = createTrace();
  await trace.during('command', 'true', async () => {});
  const said = await writeTimeline(context, trace, 'up.json', 0);
  const file = join(folder, 'up.json');
  assert(said.includes(file), said);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const { traceEvents } = JSON.parse(readFileSync(file, 'utf8')) as { traceEvents: { name: string }[] };
  assert(traceEvents.some(({ name }) => name === 'true'));
  assert.match(await writeTimeline(context, trace, 'not there/up.json', 0), /^! The timeline could not be written: /);
});
