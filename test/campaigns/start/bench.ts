// How long commands take to start, held against what tsx takes to start at all. RUNS sets how often each is measured.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { table } from '../../../scripts/lib/text.ts';
import { median, secondsOfChildren } from '../../support/measured.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const runs = Number(process.env.RUNS ?? 9);
const program = 'platform.mjs';
const loading = (name: string) => `await import('./scripts/commands/${name}.ts')`;

/** The second is the floor. Wrong usage of a command loads all of it: that is a start up to where it would begin to work. */
const starts: [what: string, args: string[]][] = [
  ['node alone', ['--eval', '0']],
  ['node with tsx', ['--import', 'tsx', '--eval', '0']],
  ['the list of commands', [program, '--help']],
  ['a help page', [program, 'up', '--help']],
  ...['status', 'sync', 'up', 'diff'].map((name): [string, string[]] => [
    `all that ${name} loads`,
    [program, name, '--jsn'],
  ]),
  ['all that status loads, by tsx', ['--import', 'tsx', '--input-type=module', '--eval', loading('status')]],
];

/** Seconds of a process: as a person waits for it, and of processors, its children's included. */
function measure(args: readonly string[]): { wall: number; cpu: number } {
  const started = performance.now();
  // The shell tells the times of its children, which Node doesn't.
  const { stdout } = spawnSync('bash', ['-c', '"$@" >/dev/null 2>&1; times', 'bash', process.execPath, ...args], {
    cwd: root,
    encoding: 'utf8',
  });
  const wall = (performance.now() - started) / 1000;
  return { wall, cpu: secondsOfChildren(stdout) };
}

// So that all is bundled.
measure([program, '--help']);

// Taken in turns, so that what else this machine does falls on all of them alike.
const measured = starts.map(() => ({ wall: [] as number[], cpu: [] as number[] }));
for (let run = 0; run < runs; run += 1) {
  for (const [index, [, args]] of starts.entries()) {
    const { wall, cpu } = measure(args);
    measured[index]?.wall.push(wall);
    measured[index]?.cpu.push(cpu);
  }
}
const medians = measured.map(({ wall, cpu }) => ({ wall: median(wall), cpu: median(cpu) }));
const floor = medians[1]?.cpu ?? Number.NaN;
const rows = medians.map(({ wall, cpu }, index) => [
  starts[index]?.[0] ?? '',
  `${wall.toFixed(2)} s`,
  `${cpu.toFixed(2)} s`,
  `${(cpu / floor).toFixed(2)}`,
]);
process.stdout.write(`Medians of ${runs} starts, by Node ${process.version}:\n`);
process.stdout.write(`${table([['', 'wall', 'CPU', 'of the floor'], ...rows]).join('\n')}\n`);
