import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
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

test('a process that is killed and that its parent never asks for is no holder', async () => {
  const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line);
  const start = processStartTime(pid);
  const state = () => readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[2];
  if (process.platform === 'linux') while (state() !== 'Z') await sleep(20);
  assert(process.platform !== 'linux' || !isRunning(pid, start ?? assert.fail()));
  parent.kill('SIGKILL');
});

test('a lock that its process is still making is not taken over, however long that takes', async () => {
  const maker = spawn('sleep', ['60']);
  const file = at('paused.lock');
  const said = `${file}.${maker.pid}-0123abcd.tmp`;
  writeFileSync(said, JSON.stringify({ pid: maker.pid, start: processStartTime(maker.pid ?? assert.fail()) }));
  writeFileSync(file, '');
  age(file);
  assert.match((await refusal(() => lock(file, options()))).text, /is working on the cluster x/);
  assert.equal(readFileSync(file, 'utf8'), '');
  const gone = once(maker, 'exit');
  maker.kill('SIGKILL');
  await gone;
  (await lock(file, options()))();
  assert.deepEqual(left(file), []);
});

/** Of another age than one that is just being made. */
function age(file: string): void {
  const aMinuteAgo = new Date(Date.now() - 60_000);
  utimesSync(file, aMinuteAgo, aMinuteAgo);
}

const left = (file: string) => readdirSync(folder).filter((name) => at(name).startsWith(file));

/** Takes a lock when it is told to, at a moment that is told as well, and answers whether it got it. */
const contender = compiled(`
  import fs from 'node:fs';
  import { syncBuiltinESMExports } from 'node:module';
  import { UsageError } from './scripts/lib/errors.ts';
  import { lock } from './scripts/lib/lock.ts';
  // As on exFAT and some shared folders.
  if (process.argv[2] === 'no-links')
    fs.linkSync = () => { throw Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' }); };
  syncBuiltinESMExports();
  let unlock;
  process.on('message', async ({ file, moment }) => {
    if (file === undefined) return process.send(unlock?.() ?? (unlock = undefined) ?? false);
    while (performance.timeOrigin + performance.now() < moment);
    try {
      unlock = await lock(file, { what: 'x', patience: 0, signal: new AbortController().signal });
      process.send(true);
    } catch (error) {
      process.send(error instanceof UsageError ? false : error.stack);
    }
  });`);

test('of six processes that find the same lock, in 160 rounds, never two have it', async () => {
  const { pid } = spawnSync('true');
  const dead = JSON.stringify({ pid, start: 'before', command: 'npm run up' });
  const found: Record<string, (file: string) => void> = {
    'that a dead process left': (file) => writeFileSync(file, dead),
    'of an earlier version': (file) => writeFileSync(file, String(pid)),
    'whose next holder died while it took it over': (file) => {
      writeFileSync(file, dead);
      writeFileSync(`${file}.takeover`, JSON.stringify({ pid }));
    },
    'that nobody has': () => {},
  };
  const processes = Array.from({ length: 6 }, (_, index) =>
    spawn(process.execPath, [contender, index % 2 ? 'no-links' : ''], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    }),
  );
  const askAll = (question: (index: number) => object) =>
    Promise.all(
      processes.map(async (child, index) => {
        const answer = once(child, 'message');
        child.send(question(index));
        return ((await answer) as [unknown])[0];
      }),
    );
  let seed = 20;
  const jitterMs = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return (seed / 2_147_483_647) * 2;
  };
  try {
    for (let round = 0; round < 40; round += 1) {
      for (const [what, make] of Object.entries(found)) {
        const file = at(`round ${round} ${what}.lock`);
        make(file);
        const moment = performance.timeOrigin + performance.now() + 3;
        const answers = await askAll(() => ({ file, moment: moment + jitterMs() }));
        assert.deepEqual(answers.toSorted(), [false, false, false, false, false, true], `${what}, round ${round}`);
        await askAll(() => ({}));
        assert.deepEqual(left(file), [], `${what}, round ${round}`);
      }
    }
  } finally {
    for (const child of processes) child.kill('SIGKILL');
  }
});

/** Takes a lock and is killed before its n-th change of the file system, or in the end by another signal. */
const victim = compiled(`
  import fs from 'node:fs';
  import { syncBuiltinESMExports } from 'node:module';
  import { lock } from './scripts/lib/lock.ts';
  const [file, last] = process.argv.slice(2);
  let calls = 0;
  for (const name of Object.keys(fs).filter((one) => /^(?!read|l?stat|exists|realpath|access).*Sync$/.test(one))) {
    const real = fs[name];
    fs[name] = (...args) => {
      calls += 1;
      if (calls === Number(last)) process.kill(process.pid, 'SIGKILL');
      return real(...args);
    };
  }
  syncBuiltinESMExports();
  await lock(file, { what: 'x', patience: 0, signal: new AbortController().signal });
  process.kill(process.pid, 'SIGTERM');`);

for (const [what, text] of [
  ['a lock that nobody has', undefined],
  ['a lock of a dead process', JSON.stringify({ pid: spawnSync('true').pid, start: 'before' })],
] as const) {
  test(`a process that is killed in any moment while it takes ${what} leaves nothing that stays`, async () => {
    const endsOf = async (call: number) => {
      const file = at(`victim ${call} ${what}.lock`);
      if (text !== undefined) writeFileSync(file, text);
      const [, signal] = await once(
        spawn(process.execPath, [victim, file, String(call)], { stdio: 'inherit' }),
        'exit',
      );
      for (const name of left(file)) age(at(name));
      (await lock(file, options({ patience: 20_000 })))();
      assert.deepEqual(left(file), [], `call ${call}`);
      return signal === 'SIGKILL';
    };
    let call = 1;
    while ((await Promise.all([endsOf(call), endsOf(call + 1)])).every(Boolean)) call += 2;
    assert(call > 3, `${call} calls`);
  });
}
