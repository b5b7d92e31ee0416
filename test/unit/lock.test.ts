import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ExitCode, Interrupted } from '../../scripts/lib/errors.ts';
import { type LockOptions, lock } from '../../scripts/lib/lock.ts';
import { isRunning, processStartTime } from '../../scripts/lib/processes.ts';
import { compiled } from '../support/compiled.ts';
import { refusal, temporaryFolder } from '../support/fakes.ts';

const folder = await temporaryFolder();
const at = (name: string) => join(folder, name);
const options = (more: Partial<LockOptions> = {}): LockOptions => ({
  what: 'the cluster x',
  patience: 0,
  signal: new AbortController().signal,
  ...more,
});

test('without patience a lock keeps others away at once, and names who holds it', async () => {
  const file = at('new folder/x.lock');
  const unlock = await lock(file, options({ command: 'npm run up' }));
  const { error, text } = await refusal(() => lock(file, options()));
  assert.match(text, new RegExp(`^npm run up \\(process ${process.pid}\\) is working on the cluster x`));
  assert.equal(error.exitCode, ExitCode.usage);
  unlock();
  (await lock(file, options()))();
  assert.equal(existsSync(file), false);
});

test('with patience it waits, says once for whom, and goes on as soon as it may', async () => {
  const file = at('waiting.lock');
  const unlock = await lock(file, options({ command: 'npm run up' }));
  const told: string[] = [];
  const waiting = lock(file, options({ patience: 30_000, onWait: (holder) => void told.push(holder) }));
  await sleep(500);
  unlock();
  const started = performance.now();
  (await waiting)();
  assert(performance.now() - started < 5000);
  assert.deepEqual(told, [`npm run up (process ${process.pid})`]);
});

test('patience ends, and so does an interruption', async () => {
  const file = at('patience.lock');
  const unlock = await lock(file, options());
  assert.match((await refusal(() => lock(file, options({ patience: 300 })))).text, /is working on the cluster x/);
  const controller = new AbortController();
  const waiting = assert.rejects(lock(file, options({ patience: 30_000, signal: controller.signal })), Interrupted);
  setTimeout(() => controller.abort(), 50);
  await waiting;
  await assert.rejects(lock(at('never.lock'), options({ signal: AbortSignal.abort() })), Interrupted);
  assert.equal(existsSync(at('never.lock')), false);
  unlock();
});

test('a lock that a dead process left, or that says nothing, is taken over', async () => {
  const { pid } = spawnSync('true');
  const aMinuteAgo = new Date(Date.now() - 60_000);
  const left = [JSON.stringify({ pid }), String(pid), '', 'nonsense', '{', 'null', '"x"', '{"pid":-1}', '-1'];
  // By a clock that was ahead.
  const inAnHour = new Date(Date.now() + 3_600_000);
  for (const [text, when] of [...left.map((one) => [one, aMinuteAgo] as const), ['', inAnHour] as const]) {
    const file = at('left.lock');
    writeFileSync(file, text);
    utimesSync(file, when, when);
    const unlock = await lock(file, options({ command: 'npm run down' }));
    const { pid, command } = JSON.parse(readFileSync(file, 'utf8'));
    assert.deepEqual([pid, command], [process.pid, 'npm run down'], text);
    unlock();
  }
});

test('a process that has the number of a dead one by now is no holder', async () => {
  const child = spawn('sleep', ['30']);
  const { pid = assert.fail() } = child;
  const start = processStartTime(pid);
  assert(start !== undefined && processStartTime(pid) === start);
  assert.deepEqual([isRunning(pid, start), isRunning(pid, undefined), isRunning(pid, 'long ago')], [true, true, false]);
  const file = at('again.lock');
  writeFileSync(file, JSON.stringify({ pid, start: 'before the reboot', command: 'npm run up' }));
  (await lock(file, options()))();
  writeFileSync(file, JSON.stringify({ pid, start, command: 'npm run up' }));
  assert.match((await refusal(() => lock(file, options()))).text, new RegExp(`npm run up \\(process ${pid}\\)`));
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
  (await lock(file, options()))();
  assert.equal(processStartTime(pid), undefined);
});

test('a lock that is empty was made a moment ago: its process is about to write into it', async () => {
  const file = at('young.lock');
  writeFileSync(file, '');
  assert.match((await refusal(() => lock(file, options()))).text, /is working on the cluster x/);
});

test('a lock that somebody else took over meanwhile is not given back', async () => {
  const file = at('overtaken.lock');
  const unlock = await lock(file, options());
  const other = JSON.stringify({ pid: 1 });
  writeFileSync(file, other);
  unlock();
  assert.equal(readFileSync(file, 'utf8'), other);
});

test('of many processes that find a dead lock, one at a time has it', async () => {
  const { pid } = spawnSync('true');
  const [file, log] = [at('crowd.lock'), at('crowd.log')];
  writeFileSync(file, JSON.stringify({ pid }));
  const program = compiled(`
    import { appendFileSync } from 'node:fs';
    import { lock } from './scripts/lib/lock.ts';
    const [file, log] = process.argv.slice(2);
    const unlock = await lock(file, { what: 'x', patience: 60000, signal: new AbortController().signal });
    appendFileSync(log, 'in\\n');
    await new Promise((resolve) => setTimeout(resolve, 30));
    appendFileSync(log, 'out\\n');
    unlock();`);
  const crowd = Array.from({ length: 5 }, async () => {
    const child = spawn(process.execPath, [program, file, log]);
    return new Promise((resolve) => child.once('exit', resolve));
  });
  assert.deepEqual(await Promise.all(crowd), [0, 0, 0, 0, 0]);
  assert.equal(readFileSync(log, 'utf8'), 'in\nout\n'.repeat(5));
});

test('a process that ends without giving it back leaves no lock', () => {
  const file = at('exit.lock');
  const program = compiled(`
    import { lock } from './scripts/lib/lock.ts';
    await lock(process.argv[2], { what: 'x', patience: 0, signal: new AbortController().signal });
    process.exit(130);`);
  const ran = spawnSync(process.execPath, [program, file]);
  assert.equal(ran.status, 130, String(ran.stderr));
  assert.equal(existsSync(file), false);
});
