import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { textOf } from '../support/tracked-files.ts';

interface Step {
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
}
interface Job {
  needs?: string;
  if?: string;
  'runs-on': string;
  'timeout-minutes'?: number;
  strategy?: { matrix: { node: string[] } };
  steps: Step[];
}
const text = textOf('.github/workflows/ci.yml');
const { jobs, permissions, on } = parse(text) as {
  jobs: Record<string, Job>;
  permissions: unknown;
  on: Record<string, unknown>;
};
const { scripts, engines } = JSON.parse(textOf('package.json')) as {
  scripts: Record<string, string>;
  engines: { node: string };
};
const steps = Object.values(jobs).flatMap((job) => job.steps);
const commandsOf = (job: Job | undefined) => job?.steps.flatMap(({ run }) => run ?? []) ?? [];

test('every npm script that a step calls is there', () => {
  const called = steps.flatMap(({ run = '' }) =>
    [...run.matchAll(/npm run ([\w:-]+)|npm (test)\b/g)].map(([, one, other]) => one ?? other ?? ''),
  );
  assert(called.length >= 5);
  for (const name of called) assert(name in scripts, name);
});

test('a change has to pass lint, types, validate, the tests and the e2e tests, in the order of .ci/run', () => {
  const demanded = ['npm ci', 'npm run check', 'npm run validate', 'npm test', 'npm run test:e2e'];
  const own = commandsOf(jobs.check).concat(commandsOf(jobs.e2e).filter((command) => command !== 'npm ci'));
  assert.deepEqual(
    own.filter((command) => command.startsWith('npm')),
    demanded,
  );
  assert.deepEqual(
    textOf('.ci/run')
      .split('\n')
      .map((line) => line.replace(/^part ('[^']*'|\S+) /, ''))
      .filter((line) => line.startsWith('npm ')),
    demanded,
  );
  assert.equal(jobs.e2e?.needs, 'check');
  assert.equal(jobs.e2e?.if, undefined);
  assert('pull_request' in on && 'push' in on);
});

test('the bench runs on a schedule alone, and on request', () => {
  assert(Array.isArray(on.schedule) && 'workflow_dispatch' in on);
  assert.match(jobs.bench?.if ?? '', /^github\.event_name == 'schedule' \|\|/);
});

test('every action is pinned to a commit, with its version beside it, and may read alone', () => {
  const lines = text.split('\n').filter((line) => line.includes('uses: '));
  assert.equal(lines.length, steps.filter(({ uses }) => uses).length);
  for (const line of lines) assert.match(line, /uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  assert.deepEqual(permissions, { contents: 'read' });
  for (const { uses, with: given } of steps)
    if (uses?.startsWith('actions/checkout@')) assert.equal(given?.['persist-credentials'], false);
});

test('the oldest Node that package.json allows is among those that are tested, and no job runs for ever', () => {
  const [, oldest = ''] = engines.node.match(/^>=(\d+)/) ?? [];
  assert(jobs.check?.strategy?.matrix.node.includes(oldest));
  for (const job of Object.values(jobs)) assert((job['timeout-minutes'] ?? 0) > 0);
});

test('what clones this clone has the whole history, so that a test decides how much of it a clone has', () => {
  for (const name of ['e2e', 'bench']) {
    const checkout = jobs[name]?.steps.find(({ uses }) => uses?.startsWith('actions/checkout@'));
    assert.equal(checkout?.with?.['fetch-depth'], 0, name);
  }
});
