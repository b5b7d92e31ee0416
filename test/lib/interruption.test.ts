import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../support/fakes.ts';
import { keys, needsTerminal, onTerminal } from '../support/terminal.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = await temporaryFolder();
let runs = 0;

/** A Docker that never answers and takes four seconds to end, and a cluster of its own for `npm run down` to wait on it. */
function newRun() {
  runs += 1;
  const bin = join(folder, `bin${runs}`);
  const log = join(folder, `log${runs}`);
  const cluster = `interruption-${process.pid}-${runs}`;
  mkdirSync(bin);
  const text = `#!/bin/bash\necho "started $$" >> "${log}"\ntrap 'echo told >> "${log}"; sleep 4; echo ended >> "${log}"; exit 1' TERM\nsleep 99 & wait\n`;
  writeFileSync(join(bin, 'docker'), text);
  chmodSync(join(bin, 'docker'), 0o755);
  const env = {
    ...process.env,
    PATH: `${bin}:${process.env.PATH}`,
    CLUSTER_NAME: cluster,
    HOME: folder,
    TERM: 'xterm',
    LOG: log,
  };
  const lock = join(root, '.state', `${cluster}.lock`);
  after(() => rmSync(lock, { recursive: true, force: true }));
  const said = () => (existsSync(log) ? readFileSync(log, 'utf8') : '');
  return { env, lock, said, group: () => Number(said().match(/started (\d+)/)?.[1]) };
}

/** What is typed. npm takes half a second to start: only where it matters, for it passes each Ctrl-C on once more. */
const [byNpm, typed] = ['npm run --silent down', 'node platform.mjs down'];

async function until(what: string, look: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!look()) {
    assert(Date.now() < deadline, what);
    await sleep(50);
  }
}

const members = (group: number) =>
  spawnSync('ps', ['-A', '-o', 'pgid='], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((line) => Number(line) === group).length;

/** Starts the command without a terminal, and hands back how to wait for its end. */
async function inBackground(run: ReturnType<typeof newRun>) {
  const before = run.said().split('started').length;
  const child = spawn('bash', ['-c', `exec ${typed}`], { cwd: root, env: run.env, detached: true });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await until('Docker is asked', () => run.said().split('started').length > before);
  return { child, ended, text: () => text };
}

/** Starts the command with a further flag, waits until it has ended, and hands back what it said to standard error. */
async function runToEnd({ env }: ReturnType<typeof newRun>, flag: string, command = typed) {
  const child = spawn('bash', ['-c', `exec ${command} ${flag}`], { cwd: root, env });
  let text = '';
  child.stderr.on('data', (chunk) => (text += chunk));
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { status, text };
}

/** A terminal that says "now" as soon as Docker is asked. */
const announced = `(while ! test -s "$LOG"; do sleep 0.1; done; echo now) & ${byNpm}`;

describe('a command that is interrupted', { concurrency: true }, () => {
  it('one Ctrl-C, which npm doubles, ends what runs in order, and says how to go on', needsTerminal, async () => {
    const run = newRun();
    const { code, screen } = await onTerminal(announced, [['now', keys.interrupt]], { cwd: root, env: run.env });
    assert.match(screen, /Stopping what runs\. Ctrl-C again/);
    assert.match(screen, /Interrupted\. npm run down goes on where it stopped/);
    assert.equal(code, 130);
    assert.match(run.said(), /ended/);
    assert.equal(existsSync(run.lock), false);
  });

  it('a second Ctrl-C ends it at once, with its children', needsTerminal, async () => {
    const run = newRun();
    const again = `(while ! grep -q told "$LOG" 2>/dev/null; do sleep 0.1; done; sleep 0.4; echo second) &`;
    const presses = [
      ['now', keys.interrupt],
      ['second', keys.interrupt],
    ] as const;
    const { code, screen } = await onTerminal(`${again} ${announced}`, presses, { cwd: root, env: run.env });
    assert.equal(code, 130);
    assert.doesNotMatch(screen, /Interrupted\./);
    await until('the children are gone', () => members(run.group()) === 0);
    assert.doesNotMatch(run.said(), /ended/);
    assert.equal(existsSync(run.lock), false);
  });

  for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
    it(`${signal} ends what runs in order`, async () => {
      const run = newRun();
      const { child, ended, text } = await inBackground(run);
      process.kill(-(child.pid ?? assert.fail()), signal);
      await ended;
      await until('it ended in order', () => run.said().includes('ended') && !existsSync(run.lock));
      await until('the children are gone', () => members(run.group()) === 0);
      if (signal === 'SIGTERM') assert.match(text(), /Interrupted\. npm run down goes on/);
    });
  }

  it('after SIGKILL of its group no child is left, and the next command takes the lock over and says so', async () => {
    const run = newRun();
    const { child, ended } = await inBackground(run);
    process.kill(-(child.pid ?? assert.fail()), 'SIGKILL');
    await ended;
    await until('the children are gone', () => members(run.group()) === 0);
    assert.equal(existsSync(run.lock), true);
    const next = await inBackground(run);
    process.kill(-(next.child.pid ?? assert.fail()), 'SIGTERM');
    await next.ended;
    assert.match(next.text(), /^npm run down \(process \d+\) was killed: its work is taken up\.$/m);
    assert.equal(existsSync(run.lock), false);
  });

  it('a second command waits and says for whom, and with --no-wait fails at once', async () => {
    const run = newRun();
    const first = await inBackground(run);
    const [typed, kept, impatient] = await Promise.all([
      runToEnd(run, '--no-wait'),
      runToEnd(run, '--no-wait', byNpm),
      runToEnd(run, '--timeout 1'),
    ]);
    for (const refused of [typed, kept]) {
      assert.equal(refused?.status, 2, refused?.text);
      assert.match(refused?.text ?? '', /npm run down \(process \d+\) is working on the cluster/);
    }
    assert.equal(impatient?.status, 2);
    assert.match(impatient?.text ?? '', /^Waiting for npm run down \(process \d+\) to be done/m);
    assert.match(impatient?.text ?? '', /Timed out after 1 s: npm run down /);
    // Not one of them waited for the first to be done.
    assert.equal(first.child.exitCode, null);
    process.kill(-(first.child.pid ?? assert.fail()), 'SIGTERM');
    await first.ended;
  });
});
