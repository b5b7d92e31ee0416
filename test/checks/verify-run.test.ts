import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { VerificationCheck, VerificationFinding } from '../../scripts/checks/verify/check.ts';
import { connectLiveCluster, type LiveCluster, reviewAccess } from '../../scripts/checks/verify/live.ts';
import {
  firstCause,
  formatVerification,
  runVerification,
  verificationChecks,
  verificationJson,
} from '../../scripts/checks/verify/run.ts';
import type { Kubectl } from '../../scripts/kubernetes/kubectl.ts';
import { Interrupted, UserError } from '../../scripts/lib/errors.ts';
import { fakeContext } from '../support/fakes.ts';
import { root } from '../support/helm.ts';
import { recorded } from '../support/monitoring.ts';

const found = (message: string, lasting?: true): VerificationFinding => ({
  message,
  remedy: `mend ${message}`,
  ...(lasting && { lasting }),
});
const checkThat = (name: string, run: VerificationCheck['run']) => ({ name, title: `${name} is well`, run });

/** A check that finds these, one list after the other; the last one again and again. */
function check(name: string, ...lists: VerificationFinding[][]): VerificationCheck & { looks: number } {
  const made: VerificationCheck & { looks: number } = {
    looks: 0,
    ...checkThat(name, async () => {
      const findings = lists[Math.min(made.looks, lists.length - 1)] ?? [];
      made.looks += 1;
      return { findings: [...findings, undefined], detail: `look ${made.looks}` };
    }),
  };
  return made;
}
const run = (all: readonly VerificationCheck[], timeoutMs = 60_000, { signal } = new AbortController()) =>
  runVerification(all, {} as LiveCluster, { timeoutMs, signal, intervalMs: 1 });

test('what passes by itself is looked at again until it has', async () => {
  const one = check('one', [found('a')], [found('a')], []);
  const [outcome] = await run([one]);
  assert.deepEqual([outcome?.findings, outcome?.detail, one.looks], [[], 'look 3', 3]);
});

test('what does not pass is not waited for, and nothing is waited for longer than the timeout', async () => {
  const lasting = check('lasting', [found('a', true)]);
  const [outcome] = await run([lasting]);
  assert.deepEqual([outcome?.findings, lasting.looks], [[found('a', true)], 1]);
  const passing = check('passing', [found('b')]);
  const [late] = await run([passing], 30);
  assert.deepEqual([late?.findings, late?.cutShort], [[found('b')], false]);
  assert(passing.looks > 1);
});

test('what stands behind a cause is not waited for, what stands before it is', async () => {
  const before = check('before', [found('a')], [found('a')], [found('a')], []);
  const outcomes = await run([before, check('cause', [found('b', true)]), check('after', [found('c')])]);
  assert.deepEqual(
    outcomes.map(({ findings, cutShort }) => [findings.map(({ message }) => message).join(), cutShort]),
    [
      ['', false],
      ['b', false],
      ['c', true],
    ],
  );
  assert.deepEqual(firstCause(outcomes), found('b', true));
});

test('one that waits by itself is told when that makes no sense any more', async () => {
  const worth: boolean[] = [];
  const patient = checkThat('patient', async (_, worthIt) => {
    worth.push(worthIt());
    await new Promise(setImmediate);
    worth.push(worthIt());
    return { findings: [], detail: '' };
  });
  await run([check('cause', [found('a', true)]), patient]);
  assert.deepEqual(worth, [true, false]);
});

test('what can not be looked at is a finding, a bug is none, and an interruption ends it', async () => {
  const failing = (error: Error) => checkThat('x', () => Promise.reject(error));
  const [outcome] = await run([failing(new UserError('the API server answered 503', { hint: 'wait' }))], 0);
  assert.deepEqual(outcome?.findings, [{ message: 'The API server answered 503', remedy: 'wait' }]);
  await assert.rejects(run([failing(new TypeError('x is undefined'))]), TypeError);
  const controller = new AbortController();
  const interrupting = checkThat('x', async () => {
    controller.abort();
    return { findings: [found('a')], detail: '' };
  });
  await assert.rejects(run([interrupting], 60_000, controller), Interrupted);
});

const bad = Array.from({ length: 7 }, (_, n) => found(`fault ${n}`));
const outcomes = [
  { check: check('good'), findings: [], detail: '4 pods', seconds: 0.25, cutShort: false },
  { check: check('bad'), findings: bad, detail: '7 rules', seconds: 12, cutShort: false },
  { check: check('later'), findings: [found('of bad')], detail: '9 panels', seconds: 12, cutShort: true },
];

test('the table says of each promise whether it is kept, what was found, and the first cause with its remedy', () => {
  assert.deepEqual(formatVerification(outcomes).split('\n'), [
    '✔ good is well    0.3 s  4 pods',
    '✖ bad is well    12.0 s  7 rules',
    ...[0, 1, 2, 3, 4].map((n) => `    fault ${n}`),
    '    and 2 more',
    '! later is well  12.0 s  not waited for, since there is a cause above',
    '',
    '✖ First cause: fault 0',
    '  → mend fault 0',
  ]);
  assert.match(formatVerification(outcomes.slice(0, 1)), /\n\nAll is as promised\.$/);
});

test('a program is told the same', () => {
  const { ok, firstCause, checks } = JSON.parse(verificationJson(outcomes));
  assert.deepEqual([ok, firstCause], [false, { message: 'fault 0', remedy: 'mend fault 0' }]);
  assert.deepEqual([checks[0].ok, checks[1].findings.length, checks[2].cutShort], [true, 7, true]);
  const good = { check: 'good', title: 'good is well', ok: true, detail: '4 pods', seconds: 0.25, findings: [] };
  assert.deepEqual(JSON.parse(verificationJson(outcomes.slice(0, 1))), { ok: true, checks: [good] });
});

test('the checks have names and titles of their own', () => {
  for (const part of ['name', 'title'] as const)
    assert.equal(new Set(verificationChecks.map((one) => one[part])).size, verificationChecks.length);
});

test('the API server is asked for all rights with one kubectl, as the account that it is about', async () => {
  const asked: string[] = [];
  const kubectl = {
    async run(args: readonly string[], { input = '' }: { input?: string } = {}) {
      assert.equal(args[0], 'create');
      asked.push(...input.split('\n---\n'));
      // A refusal is an empty line: the field is left out where it is false.
      return { stdout: 'true\n\n', stderr: '', exitCode: 0 };
    },
  } as unknown as Kubectl;
  const questions = [
    { verb: 'list', group: '', resource: 'pods', namespace: 'default' },
    { verb: 'watch', group: '', resource: 'nodes' },
  ];
  const answers = await reviewAccess(kubectl, { namespace: 'observability', name: 'prometheus' }, questions);
  assert.deepEqual(answers, [true, false]);
  assert.deepEqual(
    asked.map((text) => JSON.parse(text).spec).map(({ user, resourceAttributes }) => [user, resourceAttributes]),
    questions.map((question) => ['system:serviceaccount:observability:prometheus', question]),
  );
});

/** A Prometheus behind a proxy that answers each path in this way. */
const prometheusOf = (json: (path: string) => Promise<object>) =>
  connectLiveCluster(fakeContext({ config: {}, api: () => ({ json }) })).prometheus;

test('the jobs are those of the configuration that Prometheus runs with, where each looks for its targets', async () => {
  const yaml = readFileSync(`${root}/observability/prometheus/config/prometheus.yml`, 'utf8');
  assert.deepEqual(await prometheusOf(async () => ({ data: { yaml } })).jobs(), recorded().jobs);
});

test('however many queries there are, Prometheus has six of them at a time', async () => {
  const open = new Set<string>();
  let most = 0;
  const { query } = prometheusOf(async (path) => {
    most = Math.max(most, open.add(path).size);
    await new Promise(setImmediate);
    open.delete(path);
    return { data: { result: [new URL(path, 'http://x').searchParams.get('query')] } };
  });
  const asked = Array.from({ length: 20 }, (_, nth) => `up{n="${nth}"} + 1`);
  assert.deepEqual((await Promise.all(asked.map(query))).flat(), asked);
  assert.equal(most, 6);
});
