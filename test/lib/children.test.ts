import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { compiled } from '../support/compiled.ts';

/** Sleeps of a length of their own, by which they are known. */
let next = 100 + (process.pid % 10_000);

/** Runs shell commands through exec, as a command of ours does: those without input are run by zx, the others by execa. */
const program = compiled(`
  import { createExec } from './scripts/lib/exec.ts';
  const [onSignal, ...shells] = process.argv.slice(2);
  const controller = new AbortController();
  if (onSignal === 'abort') process.on('SIGTERM', () => controller.abort());
  if (onSignal === 'exit') process.on('SIGTERM', () => process.exit(130));
  const exec = createExec({ env: { tool: { PATH: process.env.PATH } }, signal: controller.signal });
  const run = (shell, options) => exec(['sh', '-c', shell], options).catch(() => {});
  await Promise.all(shells.map((shell, index) => run(shell, index === 0 ? {} : { input: 'x' })));
  process.exit(0);`);

/** Starts the program with these shell commands. A mark is the number of seconds by which a command's sleeps are known. */
function start(onSignal: 'abort' | 'exit' | 'nothing', ...shells: ((mark: string) => string)[]) {
  const marks = shells.map(() => {
    next += 1;
    return `9${next}.5`;
  });
  const args = [program, onSignal, ...shells.map((shell, index) => shell(marks[index] ?? ''))];
  const child = spawn(process.execPath, args, { detached: true, stdio: 'ignore' });
  return { child, marks };
}

/** How many sleeps run with each of the marks. */
function running(marks: readonly string[]): number[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'args='], { encoding: 'utf8' });
  const lines = stdout.split('\n');
  return marks.map((mark) => lines.filter((line) => line === `sleep ${mark}`).length);
}

async function until(what: string, seconds: number, look: () => boolean): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!look()) {
    assert(Date.now() < deadline, `not within ${seconds} s: ${what}`);
    await sleep(100);
  }
}

const untilRunning = (marks: readonly string[], each: number) =>
  until('the children run', 20, () => running(marks).every((count) => count === each));
const untilGone = (marks: readonly string[], seconds: number) =>
  until('they are gone', seconds, () => running(marks).every((count) => count === 0));
const exited = (child: ChildProcess) => new Promise<number | null>((resolve) => child.once('exit', resolve));
/** A pipeline, of which one part takes no hint. */
const stubborn = (mark: string) => `(trap '' TERM; sleep ${mark}; sleep ${mark}) | sleep ${mark}`;

describe('what zx and execa run', { concurrency: true }, () => {
  it('does not outlive a process group that is killed', async () => {
    const { child, marks } = start('nothing', stubborn, stubborn);
    await untilRunning(marks, 2);
    process.kill(-(child.pid ?? assert.fail()), 'SIGKILL');
    await untilGone(marks, 10);
  });

  it('does not outlive us either where we are killed as soon as it runs', async () => {
    // The child itself does it, and nobody can be quicker.
    const { child, marks } = start('nothing', (mark) => `kill -9 $PPID; exec sleep ${mark}`);
    const fed = start(
      'nothing',
      () => 'exit',
      (mark) => `kill -9 $PPID; exec sleep ${mark}`,
    );
    await Promise.all([exited(child), exited(fed.child)]);
    assert.equal(child.signalCode, 'SIGKILL');
    await untilGone([...marks, ...fed.marks], 10);
  });

  it('is made to end, where it does not when it is told to', async () => {
    const { child, marks } = start('abort', stubborn, stubborn);
    await untilRunning(marks, 2);
    const ended = exited(child);
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
    assert.deepEqual(running(marks), [0, 0]);
  });

  it('goes with a process that ends at once', async () => {
    const { child, marks } = start('exit', stubborn, stubborn);
    await untilRunning(marks, 2);
    const ended = exited(child);
    child.kill('SIGTERM');
    assert.equal(await ended, 130);
    await untilGone(marks, 1);
  });

  it('leaves nobody who watches, when it ran to its end', async () => {
    const { child, marks } = start('nothing', (mark) => `sleep ${mark}`);
    await untilRunning(marks, 1);
    const table = () => spawnSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).stdout.split('\n');
    const [watcher = ''] = table().filter(
      (line) => line.match(/^\s*\d+\s+(\d+)\s+\/bin\/sh -c trap/)?.[1] === String(child.pid),
    );
    const pid = Number(watcher.trim().split(/\s/)[0]);
    assert(pid > 0, 'somebody watches');
    spawnSync('pkill', ['-f', `^sleep ${marks[0]}$`]);
    await exited(child);
    await until('the watcher is gone', 5, () => !table().some((line) => line.trim().startsWith(`${pid} `)));
  });
});
