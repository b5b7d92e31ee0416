// That the workflow for the platform repository calls what there is.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { promoteCommand } from '../../scripts/commands/promote.ts';
import { readArguments } from '../../scripts/lib/terminal/args.ts';
import { root, services } from '../support/helm.ts';

interface Step {
  id?: string;
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
  env?: Record<string, string>;
}

const text = readFileSync(join(root, 'docs/promote-workflow.yml'), 'utf8');
const { jobs, permissions } = parse(text) as {
  jobs: Record<
    string,
    { steps: Step[]; needs?: string; strategy?: { matrix: { service: string[] } }; outputs: Record<string, string> }
  >;
  permissions: Record<string, string>;
};
const steps = Object.values(jobs).flatMap((job) => job.steps);

test('it builds every service, and promotes when all of them are pushed', () => {
  assert.deepEqual(jobs.images?.strategy?.matrix.service.toSorted(), services);
  assert.equal(jobs.promote?.needs, 'images');
});

test('it calls promote as promote understands it, with the tag that was pushed', () => {
  const step = jobs.promote?.steps.find(({ id }) => id === 'promote') ?? assert.fail();
  const [, argv = ''] = step.run?.match(/^npm run promote -- (.*)$/) ?? [];
  const { operands, flags } = readArguments(
    { name: 'promote', summary: '', ...promoteCommand },
    argv.replaceAll('"', '').split(' '),
  );
  assert.deepEqual([operands, flags], [['all', '$TAG'], { 'from-ci': true, push: true }]);
  assert.match(step.env?.TAG ?? '', /^\$\{\{ needs\.images\.outputs\.tag }}$/);
});

test('images are pushed under an owner in small letters', () => {
  const step = jobs.images?.steps.find(({ id }) => id === 'tag') ?? assert.fail();
  const file = join(mkdtempSync(join(tmpdir(), 'workflow-')), 'output');
  const env = { ...process.env, GITHUB_OUTPUT: file, GITHUB_SHA: '0123456789', GITHUB_REPOSITORY_OWNER: 'Some-Owner' };
  execFileSync('bash', ['-c', step.run ?? ''], { env });
  assert.match(readFileSync(file, 'utf8'), /^owner=some-owner$/m);
  const push = jobs.images?.steps.find(({ uses }) => uses?.startsWith('docker/build-push-action'));
  assert.match(String(push?.with?.tags), /^ghcr\.io\/\$\{\{ steps\.tag\.outputs\.owner }}\//);
});

test('the whole history is there, without which a rejected push could not be mended', () => {
  assert.equal(jobs.promote?.steps.find(({ uses }) => uses?.startsWith('actions/checkout'))?.with?.['fetch-depth'], 0);
});

test('every action is pinned to a major version, and no expression stands in a script', () => {
  for (const { uses, run } of steps) {
    if (uses !== undefined) assert.match(uses, /^[\w-]+\/[\w-]+@v\d+$/);
    assert.doesNotMatch(run ?? '', /\$\{\{/, 'a script that is put together from what others write');
  }
});

test('by default its token may read alone', () => assert.deepEqual(permissions, { contents: 'read' }));
