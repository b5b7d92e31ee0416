import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
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

/** The text of the one file in a lock. */
const heldBy = (file: string) => {
  const [name = '', ...more] = readdirSync(file);
  assert.deepEqual(more, []);
  return readFileSync(join(file, name), 'utf8');
};
/** Makes a lock with that text in it, or one as earlier versions made it. */
function makeLock(file: string, text: string, earlier = false): void {
  if (!earlier) mkdirSync(file);
  writeFileSync(earlier ? file : join(file, 'holder'), text);
}

for (const earlier of [false, true])
  test(`a lock ${earlier ? 'of an earlier version ' : ''}that a dead process left, or that says nothing, is taken over`, async () => {
    const { pid } = spawnSync('true');
    const texts = [JSON.stringify({ pid }), String(pid), '', 'nonsense', '{', 'null', '"x"', '{"pid":-1}', '-1'];
    for (const text of texts) {
      const file = at('left.lock');
      makeLock(file, text, earlier);
      const told: string[] = [];
      const onTakeOver = (holder: string) => void told.push(holder);
      const unlock = await lock(file, options({ command: 'npm run down', onTakeOver }));
      const mine = JSON.parse(heldBy(file));
      assert.deepEqual([mine.pid, mine.command], [process.pid, 'npm run down'], text);
      if (text.includes(String(pid))) assert.deepEqual(told, [`Another command (process ${pid})`]);
      unlock();
      assert.deepEqual(left(file), []);
    }
  });

test('a lock that nobody but another user can read is no dead one', async () => {
  const file = at('theirs.lock');
  makeLock(file, '{}');
  chmodSync(join(file, 'holder'), 0);
  chmodSync(file, 0o755);
  chmodSync(dirname(file), 0o777);
  // Root may read everything.
  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.seteuid?.('nobody');
  try {
    await assert.rejects(lock(file, options()), { code: 'EACCES', syscall: 'open' });
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
  assert(existsSync(join(file, 'holder')));
});

test('a process that has the number of a dead one by now is no holder', async () => {
  const child = spawn('sleep', ['30']);
  const { pid = assert.fail() } = child;
  const start = processStartTime(pid);
  assert(start !== undefined && processStartTime(pid) === start);
  assert.deepEqual([isRunning(pid, start), isRunning(pid, undefined), isRunning(pid, 'long ago')], [true, true, false]);
  const file = at('again.lock');
  makeLock(file, JSON.stringify({ pid, start: 'before the reboot', command: 'npm run up' }));
  (await lock(file, options()))();
  for (const earlier of [true, false]) {
    makeLock(file, JSON.stringify({ pid, start, command: 'npm run up' }), earlier);
    assert.match((await refusal(() => lock(file, options()))).text, new RegExp(`npm run up \\(process ${pid}\\)`));
    if (earlier) rmSync(file);
  }
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
  (await lock(file, options()))();
  assert.equal(processStartTime(pid), undefined);
});

test('a lock that somebody else took over meanwhile is not given back', async () => {
  const file = at('overtaken.lock');
  const unlock = await lock(file, options());
  rmSync(file, { recursive: true });
  makeLock(file, 'theirs');
  unlock();
  assert.equal(heldBy(file), 'theirs');
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
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line);
  const start = processStartTime(pid);
  process.kill(pid, 'SIGKILL');
  const state = () => readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[2];
  if (process.platform === 'linux') while (state() !== 'Z') await sleep(20);
  assert(process.platform !== 'linux' || !isRunning(pid, start ?? assert.fail()));
  parent.kill('SIGKILL');
});

const left = (file: string) => readdirSync(folder).filter((name) => at(name).startsWith(file));

/** Takes a lock when it is told to, at a moment that is told as well, and answers whether it got it. */
const contender = compiled(`
  import { UsageError } from './scripts/lib/errors.ts';
  import { lock } from './scripts/lib/lock.ts';
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

test('of six processes that find the same lock, in 80 rounds, never two have it', async () => {
  const { pid } = spawnSync('true');
  const dead = JSON.stringify({ pid, start: 'before', command: 'npm run up' });
  const found: Record<string, (file: string) => void> = {
    'that a dead process left': (file) => makeLock(file, dead),
    'of an earlier version': (file) => makeLock(file, String(pid), true),
    'that was given back, but for the folder': (file) => mkdirSync(file),
    'that nobody has': () => {},
  };
  const processes = Array.from({ length: 6 }, () =>
    spawn(process.execPath, [contender], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
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
    for (let round = 0; round < 20; round += 1) {
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
      if (text !== undefined) makeLock(file, text);
      const [, signal] = await once(
        spawn(process.execPath, [victim, file, String(call)], { stdio: 'inherit' }),
        'exit',
      );
      (await lock(file, options({ patience: 20_000 })))();
      assert.deepEqual(left(file), [], `call ${call}`);
      return signal === 'SIGKILL';
    };
    let call = 1;
    while ((await Promise.all([endsOf(call), endsOf(call + 1)])).every(Boolean)) call += 2;
    assert(call > 3, `${call} calls`);
  });
}
