import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted } from '../../scripts/lib/errors.ts';
import { CommandError, createExec, type ExecOptions } from '../../scripts/lib/exec.ts';
import { everyKind } from '../support/fakes.ts';

const env = { PATH: process.env.PATH ?? '' };
const exec = createExec({ env: everyKind(env), signal: new AbortController().signal });
const canary = 'ghp_canaryCanaryCanary';

/** The two ways in which a child is run: without and with standard input. */
const ways: [string, ExecOptions][] = [
  ['zx', {}],
  ['execa', { input: 'some input' }],
];

for (const [way, options] of ways) {
  const failed = async (command: readonly [string, ...string[]], more: ExecOptions = {}) => {
    const error = await exec(command, { ...options, ...more }).then(
      () => assert.fail('it did not fail'),
      (thrown: unknown) => thrown,
    );
    assert(error instanceof CommandError, String(error));
    return error;
  };

  test(`${way}: a child is told which group it leads`, async () => {
    const { stdout } = await exec(['sh', '-c', 'echo "$PLATFORM_OPS_STARTED_IN"; ps -o pgid= -p $$'], options);
    const [told, group] = stdout.split('\n');
    assert.equal(told, group?.trim());
  });

  test(`${way}: arguments arrive untouched`, async () => {
    const args = [
      '',
      'a b',
      `it's "quoted"`,
      '$(id) `id` $HOME',
      '*',
      'a;b|c>d&',
      '\\n',
      'line\nline',
      '-x',
      '~',
      'ü €',
    ];
    const { stdout } = await exec(['printf', '%s\\0', ...args], options);
    assert.deepEqual(stdout.split('\0').slice(0, -1), args);
  });

  test(`${way}: standard output is handed back as it is, and standard error apart from it`, async () => {
    const output = await exec(['sh', '-c', 'printf " one\\n\\n"; echo two >&2'], options);
    assert.deepEqual(output, { stdout: ' one\n\n', stderr: 'two\n', exitCode: 0 });
  });

  test(`${way}: a failure names the command, its exit code and what it said on standard error`, async () => {
    const error = await failed(['sh', '-c', 'echo too bad >&2; exit 3']);
    assert.equal(error.output.exitCode, 3);
    assert.equal(error.timedOut, undefined);
    assert.match(error.message, /^sh -c .* ended with exit code 3: too bad$/);
    assert.doesNotMatch(error.message, /some input/);
  });

  test(`${way}: a program that does not exist is a failure that names it`, async () => {
    const { message, output } = await failed(['no-such-program']);
    assert.notEqual(output.exitCode, 0);
    assert.match(message, /no-such-program.*: .*(not found|ENOENT|EACCES)/s);
  });

  test(`${way}: nothrow hands back the exit code instead`, async () => {
    const output = await exec(['sh', '-c', 'exit 4'], { ...options, nothrow: true });
    assert.equal(output.exitCode, 4);
  });

  test(`${way}: what takes too long is ended, nothrow or not`, async () => {
    const started = Date.now();
    const error = await failed(['sleep', '30'], { timeout: 50, nothrow: true });
    assert.equal(error.timedOut, 50);
    assert.match(error.message, /^sleep 30 took too long: it was not done after 0.05 s/);
    assert(Date.now() - started < 10_000);
  });

  test(`${way}: a child that is told to end and does so with exit code 0 still took too long`, async () => {
    const polite = 'trap "echo bye; exit 0" TERM; while :; do sleep 0.05; done';
    const error = await failed(['sh', '-c', polite], { timeout: 1500 });
    assert.deepEqual([error.timedOut, error.output.stdout], [1500, 'bye\n']);
    assert.match(error.message, /took too long/);
  });

  test(`${way}: the environment is the one that was given, and nothing of ours`, async () => {
    process.env.PLATFORM_OPS_TEST = canary;
    const { stdout } = await exec(['env'], { ...options, env: { ONE: 'more' } });
    delete process.env.PLATFORM_OPS_TEST;
    // The shell in which a command starts adds these of its own.
    const lines = stdout
      .trim()
      .split('\n')
      .filter((line) => !/^(PWD|OLDPWD|SHLVL|_|PLATFORM_OPS_STARTED_IN)=/.test(line));
    assert.deepEqual(lines.sort(), ['ONE=more', `PATH=${env.PATH}`]);
  });

  test(`${way}: an interruption ends the child, and is no failure even with nothrow`, async () => {
    const controller = new AbortController();
    const running = createExec({ env: everyKind(env), signal: controller.signal })(['sleep', '31.41'], {
      ...options,
      nothrow: true,
    });
    const interrupted = assert.rejects(running, Interrupted);
    const started = Date.now();
    await sleep(100);
    controller.abort();
    await interrupted;
    assert(Date.now() - started < 10_000);
  });

  test(`${way}: the signal of a single call interrupts that call alone`, async () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const running = exec(['sleep', '30'], { ...options, signal: one.signal });
    const untouched = exec(['sh', '-c', 'sleep 0.2; echo done'], { ...options, signal: other.signal });
    setTimeout(() => one.abort(), 50);
    await assert.rejects(running, Interrupted);
    assert.equal((await untouched).stdout, 'done\n');
  });
}

test('standard input arrives whole, and without it there is none', async () => {
  const input = `${'x'.repeat(300_000)}\nend\n`;
  assert.equal((await exec(['cat'], { input })).stdout, input);
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const read = await exec(['sh', '-c', 'od -A n -t u1 -v'], { input: bytes });
  assert.deepEqual(read.stdout.trim().split(/\s+/).map(Number), [...bytes]);
  assert.equal((await exec(['cat'])).stdout, '');
});

test('a secret on standard input shows in no error', async () => {
  const error = await exec(['sh', '-c', 'cat >/dev/null; exit 1'], { input: canary }).catch(
    (thrown: unknown) => thrown,
  );
  assert(error instanceof CommandError);
  assert.doesNotMatch(error.message + JSON.stringify(error), /canary/i);
});

test('every command that starts is told, and nothing starts after an interruption', async () => {
  const told: string[] = [];
  const onCommand = (command: readonly string[]) => void told.push(command.join(' '));
  const signal = new AbortController().signal;
  await createExec({ env: everyKind(env), signal, onCommand })(['cat'], { input: canary });
  assert.deepEqual(told, ['cat']);
  await assert.rejects(
    createExec({ env: everyKind(env), signal: AbortSignal.abort() })(['touch', '/nowhere/x']),
    Interrupted,
  );
});
