import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const execUrl = new URL('../../scripts/lib/exec.ts', import.meta.url).href;

/** Sleeps of a length of their own, by which they are known. */
let next = 100 + (process.pid % 10_000);

/** A program that runs the command through exec, as a command of ours does, and the number of seconds that marks its children. */
function start(way: 'zx' | 'execa', shell: (mark: string) => string, onSignal = '') {
  next += 1;
  const mark = `9${next}.5`;
  const script = `
    import { createExec } from ${JSON.stringify(execUrl)};
    const controller = new AbortController();
    ${onSignal}
    const exec = createExec({ env: { PATH: process.env.PATH }, signal: controller.signal });
    await exec(['sh', '-c', process.argv[1]], ${way === 'zx' ? '{}' : "{ input: 'x' }"}).catch(() => {});
    process.exit(0);`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', script, shell(mark)];
  const child = spawn(process.execPath, args, { cwd: root, detached: true, stdio: 'ignore' });
  return { child, mark };
}

function running(mark: string): number {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'args='], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line === `sleep ${mark}`).length;
}

async function until(what: string, seconds: number, look: () => boolean): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!look()) {
    assert(Date.now() < deadline, `not within ${seconds} s: ${what}`);
    await sleep(50);
  }
}

const exited = (child: ChildProcess) => new Promise<number | null>((resolve) => child.once('exit', resolve));
/** A pipeline, of which one part takes no hint. */
const stubborn = (mark: string) => `(trap '' TERM; sleep ${mark}; sleep ${mark}) | sleep ${mark}`;

for (const way of ['zx', 'execa'] as const) {
  test(`${way}: no child outlives a process group that is killed`, async () => {
    const { child, mark } = start(way, stubborn);
    await until('the children run', 20, () => running(mark) === 2);
    process.kill(-(child.pid ?? assert.fail()), 'SIGKILL');
    await until('they are gone', 10, () => running(mark) === 0);
  });

  test(`${way}: what does not end when it is told to is made to`, async () => {
    const { child, mark } = start(way, stubborn, "process.on('SIGTERM', () => controller.abort());");
    await until('the children run', 20, () => running(mark) === 2);
    const ended = exited(child);
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
    assert.equal(running(mark), 0);
  });

  test(`${way}: a process that ends at once takes its children with it`, async () => {
    const { child, mark } = start(way, stubborn, "process.on('SIGTERM', () => process.exit(130));");
    await until('the children run', 20, () => running(mark) === 2);
    const ended = exited(child);
    child.kill('SIGTERM');
    assert.equal(await ended, 130);
    await until('they are gone', 1, () => running(mark) === 0);
  });
}

test('what ran to its end leaves nobody who watches', async () => {
  const { child, mark } = start('zx', (mark) => `sleep ${mark}`);
  await until('the child runs', 20, () => running(mark) === 1);
  const table = () => spawnSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).stdout.split('\n');
  const [watcher = ''] = table().filter(
    (line) => line.match(/^\s*\d+\s+(\d+)\s+\/bin\/sh -c trap/)?.[1] === String(child.pid),
  );
  const pid = Number(watcher.trim().split(/\s/)[0]);
  assert(pid > 0, 'somebody watches');
  spawnSync('pkill', ['-f', `^sleep ${mark}$`]);
  await exited(child);
  await until('the watcher is gone', 5, () => !table().some((line) => line.trim().startsWith(`${pid} `)));
});
