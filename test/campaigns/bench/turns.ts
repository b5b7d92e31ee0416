import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { table } from '../../../scripts/lib/text.ts';
import { demand, newPerson, type Person } from '../../e2e/support.ts';
import { median, secondsOfChildren } from '../../support/measured.ts';
import { checkOut, dockerForOldVersion, programsBefore } from '../upgrade/old-version.ts';

/**
 * An earlier version, which FROM names, and the checked-out one in turns on one machine: how long `up` without a cluster, `up`
 * with nothing to do, `status`, `sync` of a commit, `reset` and `down` take, how much CPU, and how many programs they start.
 * Prints the medians. RUNS is how often (3). Takes times, and judges none.
 */
const from = process.env.FROM ?? '7cdd149';
const runs = Number(process.env.RUNS ?? 3);
const cluster = 'bench-turns';
const ports = { http: 31180, https: 31543 };
const programs = ['docker', 'git', 'helm', 'kind', 'kubectl'];

type Version = 'before' | 'after';
interface Sample {
  seconds: number;
  cpu: number;
  started: number;
}
const samples = new Map<string, Record<Version, Sample[]>>();
const say = (text: string) => void process.stdout.write(`${text}\n`);

/** Runs a command behind programs that note that they were started. */
async function take(person: Person, version: Version, what: string, name: string, ...flags: string[]): Promise<void> {
  const list = join(person.home, 'started');
  rmSync(list, { force: true });
  const note = `echo "\${0##*/}" >> "${list}"`;
  const instead = version === 'before' ? dockerForOldVersion() : [];
  const scripts = programs.map((program) => {
    const rest = program === 'docker' && instead.length > 0 ? instead : [`exec ${program} "$@"`];
    return [program, [note, ...rest]] as const;
  });
  const env = { PATH: programsBefore(person, `programs ${version}`, Object.fromEntries(scripts)) };
  const timed = '"$@" >&2 || exit; times';
  const command = ['bash', '-c', timed, 'bash', 'npm', 'run', '--silent', name, '--', ...flags] as const;
  const { seconds, stdout } = await demand(person.run(command, { env }));
  const started = readFileSync(list, 'utf8').trim().split('\n').length;
  const sample = { seconds, cpu: secondsOfChildren(stdout), started };
  const all = samples.get(what) ?? { before: [], after: [] };
  all[version].push(sample);
  samples.set(what, all);
  say(`${version.padEnd(7)} ${what.padEnd(20)} ${seconds.toFixed(1)} s, CPU ${sample.cpu.toFixed(1)} s, ${started}`);
}

/** All commands of the version that is checked out. */
async function turn(person: Person, version: Version, round: number): Promise<void> {
  await take(person, version, 'up, no cluster', 'up');
  for (let again = 0; again < 3; again += 1) {
    await take(person, version, 'up, nothing to do', 'up');
    await take(person, version, 'status', 'status');
    const file = join(person.clone, 'helm', 'core-go', 'values-dev.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^( +ENV:).*$/m, `$1 turn-${round}-${again}`));
    await demand(person.run(['git', 'commit', '--quiet', '--all', '--message', 'Try another name']));
    await take(person, version, 'sync', 'sync');
  }
  await take(person, version, 'reset', 'reset', '--yes');
  await take(person, version, 'down', 'down');
}

const person = await newPerson({ cluster, ports });
try {
  const now = (await demand(person.run(['git', 'rev-parse', 'HEAD']))).stdout.trim();
  for (let round = 1; round <= runs; round += 1) {
    for (const [version, commit] of [['before', from] as const, ['after', now] as const]) {
      await checkOut(person, commit);
      await turn(person, version, round);
    }
  }
} finally {
  await person.remove();
}
const cell = (all: readonly Sample[]) => {
  const middle = (field: keyof Sample) => median(all.map((sample) => sample[field]));
  return `${middle('seconds').toFixed(2)} s, ${middle('cpu').toFixed(2)} s, ${middle('started')}`;
};
const rows = [...samples].map(([what, { before, after }]) => [what, cell(before), cell(after)]);
say(`Medians of ${runs} turns: seconds, seconds of CPU, programs started`);
say(table([['', from, 'now'], ...rows]).join('\n'));
