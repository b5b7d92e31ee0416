import { type ChildProcess, spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import type { Person } from '../../e2e/support.ts';

/** An `npm run port-forward` that runs. */
export interface Running {
  child: ChildProcess;
  /** By the name of what they lead to. */
  urls: Map<string, string>;
  /** All that it has said on standard error so far. */
  said(): string;
  /** Waits until it has said that. Throws where it ends before, or does not within so many seconds. */
  says(what: RegExp, seconds: number): Promise<void>;
  /** What Ctrl-C does on a terminal: the whole group is told. Hands back the exit code. */
  interrupt(): Promise<number>;
  ended: Promise<number>;
}

/** Starts `npm run port-forward` as a person does, on free ports, and waits for its addresses. */
export async function startForward(person: Person, names: readonly string[]): Promise<Running> {
  const { uid, gid } = statSync(person.clone);
  const ports = names.flatMap((name) => ['--port', `${name}=0`]);
  const child = spawn('npm', ['run', '--silent', 'port-forward', '--', ...names, ...ports, '--json'], {
    cwd: person.clone,
    env: person.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(process.getuid?.() === 0 && { uid, gid }),
  });
  let stdout = '';
  let stderr = '';
  let look = () => {};
  child.stdout.on('data', (data: Buffer) => {
    stdout += data;
    look();
  });
  child.stderr.on('data', (data: Buffer) => {
    stderr += data;
    look();
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    // npm ends by the signal that it was told of, which a shell counts as 128 and the signal's number.
    child.on('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : -1)));
  });
  const until = async (seconds: number, what: string, found: () => boolean) => {
    const shown = new Promise<'shown'>((resolve) => {
      look = () => found() && resolve('shown');
      look();
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), seconds * 1000);
    });
    const came = await Promise.race([shown, late, ended.then(() => 'ended' as const)]);
    clearTimeout(timer);
    if (came !== 'shown')
      throw new Error(`${what}: ${came === 'late' ? `not within ${seconds} s` : 'it ended'}\n${stderr}`);
  };
  await until(60, 'the addresses', () => stdout.includes('\n'));
  const { forwards } = JSON.parse(stdout) as { forwards: { name: string; url: string }[] };
  return {
    child,
    urls: new Map(forwards.map(({ name, url }) => [name, url])),
    said: () => stderr,
    says: (what, seconds) => until(seconds, `${what}`, () => what.test(stderr)),
    interrupt() {
      process.kill(-(child.pid as number), 'SIGINT');
      return ended;
    },
    ended,
  };
}
