import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ExitCode } from '../../scripts/lib/errors.ts';
import { lock } from '../../scripts/lib/lock.ts';
import { refusal, temporaryFolder } from '../support/fakes.ts';

const folder = await temporaryFolder();

test('a lock keeps others away until it is given back', async () => {
  const file = join(folder, 'new folder', 'x.lock');
  const unlock = lock(file, 'the cluster x');
  const { error, text } = await refusal(() => lock(file, 'the cluster x'));
  assert.match(text, new RegExp(`process ${process.pid}\\) is working on the cluster x`));
  assert.equal(error.exitCode, ExitCode.usage);
  unlock();
  lock(file, 'the cluster x')();
  assert.equal(existsSync(file), false);
});

test('a lock that a dead process left, or that says nothing, is taken over', () => {
  const { pid } = spawnSync('true');
  const aMinuteAgo = new Date(Date.now() - 60_000);
  for (const left of [String(pid), '', 'nonsense', '-1']) {
    const file = join(folder, 'left.lock');
    writeFileSync(file, left);
    utimesSync(file, aMinuteAgo, aMinuteAgo);
    const unlock = lock(file, 'the cluster x');
    assert.equal(readFileSync(file, 'utf8'), String(process.pid));
    unlock();
  }
});

test('a lock that is empty was made a moment ago: its process is about to write into it', async () => {
  const file = join(folder, 'young.lock');
  writeFileSync(file, '');
  assert.match((await refusal(() => lock(file, 'the cluster x'))).text, /is working on the cluster x/);
});
