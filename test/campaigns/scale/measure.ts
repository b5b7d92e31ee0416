import { readdirSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import type { Person, Ran } from '../../e2e/support.ts';
import { secondsOfChildren } from '../../support/measured.ts';

/** What a command took. */
export interface Measured {
  /** Seconds that a person waits. */
  wall: number;
  /** Seconds of processors, of the command and all that it starts here; not of what it has the cluster do. */
  cpu: number;
  /** The most memory of the command's own process, MiB. Nothing where the system doesn't tell. */
  peak?: number;
  /** What else the machine does, in the mean of the last minute. */
  load: number;
  code: number;
}

/** Milliseconds between two looks at the memory. The system keeps the highest, so that only the last look counts. */
const interval = 100;

/** Runs `npm run NAME -- ARGS` as a person does. */
export async function measure(person: Person, name: string, ...args: string[]): Promise<Measured & { ran: Ran }> {
  let [pid, peak] = [0, 0];
  const looking = setInterval(() => {
    peak = Math.max(peak, peakBelow(pid));
  }, interval);
  try {
    // The shell tells the times of its children, which Node doesn't.
    const timed = ['bash', '-c', '"$@"; code=$?; times >&2; exit $code', 'bash'] as const;
    const ran = await person.run([...timed, 'npm', 'run', '--silent', name, '--', ...args], {
      watch: (started) => {
        pid = started;
      },
    });
    const cpu = secondsOfChildren(ran.stderr);
    const taken = { wall: ran.seconds, cpu, load: loadavg()[0] ?? 0, code: ran.code, ran };
    return peak === 0 ? taken : { ...taken, peak: peak / 1024 };
  } finally {
    clearInterval(looking);
  }
}

/** KiB of the process of platform.mjs below a process; 0 where there is none, or no /proc. */
function peakBelow(pid: number): number {
  const parents = new Map<number, number>();
  for (const entry of folders()) parents.set(entry, Number(/^PPid:\s*(\d+)/m.exec(status(entry))?.[1] ?? 0));
  const isBelow = (one: number): boolean => one === pid || (one > 1 && isBelow(parents.get(one) ?? 0));
  const own = [...parents.keys()].find((one) => isBelow(one) && isCli(one));
  return own === undefined ? 0 : Number(/^VmHWM:\s*(\d+)/m.exec(status(own))?.[1] ?? 0);
}

function folders(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function isCli(pid: number): boolean {
  const [program = '', ...args] = text(`/proc/${pid}/cmdline`).split('\0');
  return /node$/.test(program) && args.includes('platform.mjs');
}

const status = (pid: number) => text(`/proc/${pid}/status`);

/** Nothing of a process that has ended meanwhile. */
function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
