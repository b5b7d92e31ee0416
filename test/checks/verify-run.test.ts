import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VerificationCheck, VerificationFinding } from '../../scripts/checks/verify/check.ts';
import { type LiveCluster, reviewAccess } from '../../scripts/checks/verify/live.ts';
import {
  firstCause,
  formatVerification,
  runVerification,
  verificationChecks,
  verificationJson,
} from '../../scripts/checks/verify/run.ts';
import type { Kubectl } from '../../scripts/kubernetes/kubectl.ts';
import { Interrupted, UserError } from '../../scripts/lib/errors.ts';

const live = {} as LiveCluster;
const { signal } = new AbortController();
const found = (message: string, lasting?: true): VerificationFinding => ({
  message,
  remedy: `mend ${message}`,
  ...(lasting && { lasting }),
});

/** A check that finds these, one list after the other; the last one again and again. */
function check(name: string, ...lists: VerificationFinding[][]): VerificationCheck & { looks: number } {
  const made = {
    name,
    title: `${name} is well`,
    looks: 0,
    async run() {
      const findings = lists[Math.min(made.looks, lists.length - 1)] ?? [];
      made.looks += 1;
      return { findings, detail: `look ${made.looks}` };
    },
  };
  return made;
}
const run = (all: readonly VerificationCheck[], timeoutMs = 1000) =>
  runVerification(all, live, { timeoutMs, signal, intervalMs: 1 });

test('what passes by itself is looked at again until it has', async () => {
  const one = check('one', [found('a')], [found('a')], []);
  const [outcome] = await run([one]);
  assert.deepEqual([outcome?.findings, outcome?.detail, one.looks], [[], 'look 3', 3]);
});

test('what does not pass is not waited for, and nothing is waited for longer than the timeout', async () => {
  const lasting = check('lasting', [found('a', true)]);
  const [outcome] = await run([lasting]);
  assert.deepEqual([outcome?.findings.length, lasting.looks], [1, 1]);
  const passing = check('passing', [found('b')]);
  const [late] = await run([passing], 30);
  assert.equal(late?.findings.length, 1);
  assert(passing.looks > 1);
});

test('what stands behind a cause is not waited for, what stands before it is', async () => {
  const before = check('before', [found('a')], [found('a')], [found('a')], []);
  const cause = check('cause', [found('b', true)]);
  const after = check('after', [found('c')]);
  const outcomes = await run([before, cause, after], 60_000);
  assert.deepEqual(
    outcomes.map(({ findings }) => findings.map(({ message }) => message)),
    [[], ['b'], ['c']],
  );
  assert.deepEqual(firstCause(outcomes), found('b', true));
  assert.deepEqual(
    outcomes.map(({ cutShort }) => cutShort),
    [false, false, true],
  );
});

test('one that waits by itself is told when that makes no sense any more', async () => {
  let worth: boolean[] = [];
  const cause = check('cause', [found('a', true)]);
  const patient: VerificationCheck = {
    name: 'patient',
    title: 'waits',
    async run(_, worthIt) {
      worth = [worthIt()];
      await new Promise((resolve) => setTimeout(resolve, 5));
      worth.push(worthIt());
      return { findings: [], detail: '' };
    },
  };
  await run([cause, patient], 60_000);
  assert.deepEqual(worth, [true, false]);
});

test('what can not be looked at is a finding, a bug is none', async () => {
  const failing = (error: Error): VerificationCheck => ({
    name: 'x',
    title: 'x',
    run: async () => {
      throw error;
    },
  });
  const [outcome] = await run([failing(new UserError('the API server answered 503', { hint: 'wait' }))], 0);
  assert.deepEqual(outcome?.findings, [{ message: 'The API server answered 503', remedy: 'wait' }]);
  await assert.rejects(run([failing(new TypeError('x is undefined'))]), TypeError);
});

test('an interruption ends it', async () => {
  const controller = new AbortController();
  const one: VerificationCheck = {
    name: 'x',
    title: 'x',
    async run() {
      controller.abort();
      return { findings: [found('a')], detail: '' };
    },
  };
  await assert.rejects(runVerification([one], live, { timeoutMs: 60_000, signal: controller.signal }), Interrupted);
});

const outcomes = [
  { check: check('good'), findings: [], detail: '4 pods', seconds: 0.25, cutShort: false },
  {
    check: check('bad'),
    findings: Array.from({ length: 7 }, (_, n) => found(`fault ${n}`)),
    detail: '7 rules',
    seconds: 12,
    cutShort: false,
  },
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
  const told = JSON.parse(verificationJson(outcomes));
  assert.deepEqual(told.firstCause, { message: 'fault 0', remedy: 'mend fault 0' });
  assert.deepEqual(
    [told.ok, told.checks[0].ok, told.checks[1].findings.length, told.checks[2].cutShort],
    [false, true, 7, true],
  );
  assert.deepEqual(JSON.parse(verificationJson(outcomes.slice(0, 1))).firstCause, undefined);
});

test('the checks have names and titles of their own', () => {
  for (const part of ['name', 'title'] as const)
    assert.equal(new Set(verificationChecks.map((one) => one[part])).size, verificationChecks.length);
});

test('the API server is asked for all rights with one kubectl, as the account that it is about', async () => {
  let given = '';
  const kubectl = {
    async run(args: readonly string[], options: { input?: string } = {}) {
      assert.equal(args[0], 'create');
      given = options.input ?? '';
      return { stdout: 'true\n\n', stderr: '', exitCode: 0 };
    },
  } as unknown as Kubectl;
  const questions = [
    { verb: 'list', group: '', resource: 'pods', namespace: 'default' },
    { verb: 'watch', group: '', resource: 'nodes' },
  ];
  // A refusal is an empty line: the field is left out where it is false.
  assert.deepEqual(await reviewAccess(kubectl, { namespace: 'observability', name: 'prometheus' }, questions), [
    true,
    false,
  ]);
  const reviews = given.split('\n---\n').map((text) => JSON.parse(text));
  assert.deepEqual(
    reviews.map(({ spec }) => [spec.user, spec.resourceAttributes]),
    questions.map((question) => ['system:serviceaccount:observability:prometheus', question]),
  );
});
