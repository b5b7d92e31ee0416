import { spawn, spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';

/** Options of a test that needs a terminal. A machine without util-linux's `script` skips it and still runs the rest. */
export const needsTerminal = {
  skip: /util-linux/.test(String(spawnSync('script', ['--version']).stdout))
    ? false
    : 'script (util-linux) is not on the PATH',
};

export const keys = {
  enter: '\r',
  down: '\u001b[B',
  up: '\u001b[A',
  interrupt: '\u0003',
  end: '\u0004',
  escape: '\u001b',
};

export interface OnTerminal {
  code: number;
  /** Everything that came to the screen, control characters included. */
  screen: string;
  /** The terminal's settings were afterwards what they were before. */
  restored: boolean;
}

export interface TerminalOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
  /** Milliseconds. Default: 30 seconds. */
  timeout?: number;
}

/** Milliseconds may pass between the text and the keys. */
export type Step = readonly [waitFor: string, press: string, pause?: number];

/**
 * Runs a shell command on a pseudo-terminal of 100 columns. Each step waits until a text shows behind what was there
 * before, and then presses keys. Throws with the whole screen where a text doesn't come in time.
 */
export async function onTerminal(
  command: string,
  steps: readonly Step[],
  { timeout = 30_000, ...options }: TerminalOptions = {},
): Promise<OnTerminal> {
  // The shell ignores the Ctrl-C that the terminal sends to all, so that it can tell the settings afterwards.
  const whole = `stty cols 100 rows 40; trap : INT; echo "before=$(stty -g)="; ${command}; code=$?; echo "after=$(stty -g)="; exit $code`;
  const child = spawn('script', ['-qefc', whole, '/dev/null'], { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
  let screen = '';
  let seen = 0;
  let look = () => {};
  child.stdout.on('data', (chunk: Buffer) => {
    screen += chunk.toString('utf8');
    look();
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? -1));
  });
  // Whoever is done before a key is pressed does not read it.
  child.stdin.on('error', () => {});
  const deadline = setTimeout(() => child.kill('SIGKILL'), timeout);
  for (const [waitFor, press, pause = 0] of steps) {
    const shown = new Promise<'shown'>((resolve) => {
      look = () => {
        const at = stripVTControlCharacters(screen).indexOf(waitFor, seen);
        if (at < 0) return;
        seen = at + waitFor.length;
        resolve('shown');
      };
      look();
    });
    const came = await Promise.race([shown, ended.then(() => 'ended' as const)]);
    if (came === 'ended') throw new Error(`"${waitFor}" did not come:\n${screen}`);
    await Promise.race([sleep(pause), ended]);
    child.stdin.write(press);
  }
  const code = await ended;
  clearTimeout(deadline);
  const [before, after] = ['before', 'after'].map((name) => screen.match(new RegExp(`${name}=(.+)=`))?.[1]);
  return { code, screen, restored: before !== undefined && before === after };
}
