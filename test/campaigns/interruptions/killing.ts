import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Person } from '../../e2e/support.ts';

/**
 * When a command is killed: as soon as a step's line shows, so many milliseconds after it took the cluster's lock, or once
 * something is seen.
 */
export type Moment = { step: string } | { after: number } | { once: () => Promise<boolean> };

export interface Killed {
  /** The steps whose lines showed before it. */
  steps: string[];
  /** False where the command was done before its moment came: then it is its own exit code. */
  killed: boolean;
  code: number;
  text: string;
}

/**
 * Runs a command of the platform as a person would, in a process group of its own, and kills the whole group at the
 * moment (SIGKILL: nobody can prepare for it), or sends it another signal. Throws where a child of it is still there seconds later.
 */
export async function kill(
  person: Person,
  cluster: string,
  command: readonly string[],
  moment: Moment,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<Killed> {
  const { uid, gid } = statSync(person.clone);
  const left = lockOf(person, cluster);
  const child = spawn('npm', ['run', '--silent', command[0] ?? '', '--', ...command.slice(1)], {
    cwd: person.clone,
    env: person.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(process.getuid?.() === 0 && { uid, gid }),
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? -1));
  });
  let text = '';
  let killed = false;
  const end = () => {
    if (killed || child.exitCode !== null) return;
    killed = true;
    process.kill(-(child.pid as number), signal);
  };
  let timer: NodeJS.Timeout | undefined;
  const looking = setInterval(() => {
    // An earlier command that was killed left its own.
    if (!('after' in moment) || timer !== undefined || lockOf(person, cluster) === left) return;
    timer = setTimeout(end, moment.after);
  }, 20);
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      if ('step' in moment && stepsIn(text).includes(moment.step)) end();
    });
  }
  if ('once' in moment) {
    while (child.exitCode === null && !(await moment.once())) await sleep(100);
    end();
  }
  const code = await ended;
  clearInterval(looking);
  clearTimeout(timer);
  if (killed) await untilNoneIsLeft(person, cluster);
  return { steps: stepsIn(text), killed, code, text };
}

function lockOf({ clone }: Person, cluster: string): string {
  const folder = join(clone, '.state', `${cluster}.lock`);
  try {
    return readFileSync(join(folder, readdirSync(folder)[0] ?? ''), 'utf8');
  } catch {
    return '';
  }
}

/** The steps that a command says it has done. */
export function stepsIn(text: string): string[] {
  return [...text.matchAll(/^✔ (\S+)/gm)].map(([, name]) => name ?? '');
}

/** What ends on its own within seconds is no child that outlives the command. */
async function untilNoneIsLeft({ clone }: Person, cluster: string): Promise<void> {
  const deadline = Date.now() + 6000;
  for (;;) {
    const left = spawnSync('ps', ['-A', '-ww', '-o', 'pid=,args='], { encoding: 'utf8' })
      .stdout.split('\n')
      .filter(
        (line) =>
          line.includes(clone) || line.includes(`${cluster}-control-plane`) || line.includes(`--name ${cluster} `),
      )
      // The shim and the proxy of the node's container are Docker's; what runs in the container bears its own name.
      .filter((line) => / (\S*\/)?(node|npm|sh|bash|docker|kind|kubectl|tar|go) /.test(line));
    if (left.length === 0) return;
    if (Date.now() > deadline) throw new Error(`children outlived their command:\n${left.join('\n')}`);
    await sleep(200);
  }
}
