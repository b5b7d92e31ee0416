import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RolloutReport } from '../../../scripts/delivery/sync/report.ts';
import { demand, newPerson, type Person } from '../../e2e/support.ts';
import { argoCdAlone, kindAlone } from './apart.ts';
import { asText, machine, parts, type Results, warm, withSection, yardstick } from './report.ts';
import { byHand, chill, clear, type Sample, up } from './ways.ts';

/**
 * The commands of docs/by-hand.md and `npm run up`, cold and warm, in turns on one machine, each to the same point; then what
 * people do with a cluster that is there. Prints a table and JSON, and writes docs/benchmarks.md. RUNS is how often (3), LINE
 * what the line to the registries is like, in words. Needs the cluster name platform-ops and the ports 8080 and 8443 for
 * itself, and some five minutes a run. Takes times, and judges none.
 */
const runs = Number(process.env.RUNS ?? 3);
const line = process.env.LINE ?? 'as it is';
const page = join(fileURLToPath(new URL('../../..', import.meta.url)), 'docs', 'benchmarks.md');

const say = (text: string) => void process.stdout.write(`${text}\n`);
const samples: Record<string, Sample[]> = {};

async function take(name: string, work: () => Promise<Sample>): Promise<void> {
  const sample = await work();
  samples[name] = [...(samples[name] ?? []), sample];
  say(`${name.padEnd(28)} ${sample.seconds.toFixed(1).padStart(6)} s`);
}

/** A command that a person runs, from its start to its end. */
async function command(person: Person, ...typed: [string, ...string[]]): Promise<Sample> {
  const { seconds } = await demand(person.npm(...typed));
  return { seconds };
}

/** The same command as npm starts it, for npm itself takes a fifth of a second. */
async function withoutNpm(person: Person, name: string, ...args: string[]): Promise<Sample> {
  const { scripts } = JSON.parse(readFileSync(join(person.clone, 'package.json'), 'utf8'));
  const { seconds } = await demand(person.run(['bash', '-c', `${scripts[name]} "$@"`, name, ...args]));
  return { seconds };
}

/**
 * A commit that changes a variable of core-go, and `sync`: until its new pod is ready and is the one that answers, and until
 * Prometheus sees it as well, which is when the command ends.
 */
async function commitToReady(person: Person, turn: number): Promise<void> {
  const file = join(person.clone, 'helm', 'core-go', 'values-dev.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^( +ENV:).*$/m, `$1 bench-${turn}`));
  await demand(person.run(['git', 'commit', '--quiet', '--all', '--message', `Try another name (${turn})`]));
  const { seconds, stdout } = await demand(person.npm('sync', '--json'));
  const receipts = JSON.parse(stdout) as RolloutReport[];
  const { answering, scraped } = receipts.find(({ application }) => application === 'core-go')?.seconds ?? {};
  if (answering === undefined || scraped === undefined) throw new Error(`sync told of no new pod: ${stdout}`);
  // The command counts from when it was loaded, this from when it was typed.
  await take('commit to ready, with sync', async () => ({ seconds: seconds - (scraped - answering) }));
  await take('commit to scraped, with sync', async () => ({ seconds }));
}

async function round(person: Person, turn: number): Promise<void> {
  await take(yardstick, () => byHand(person));
  await clear(person);
  await chill(person);
  await take('up, cold', () => up(person));
  await take('down', () => command(person, 'down'));
  await take(warm, () => up(person));
  for (let again = 0; again < 3; again += 1) {
    await take('up, nothing to do', () => command(person, 'up'));
    await take('status', () => command(person, 'status'));
    await commitToReady(person, turn * 3 + again);
  }
  await demand(person.npm('stop'));
  await take('start, after stop', () => command(person, 'start'));
  await take('reset', () => command(person, 'reset', '--yes'));
  await take('up, after reset', () => command(person, 'up'));
  await take(parts.argoCd, () => argoCdAlone(person));
  await take('down', () => command(person, 'down'));
  await take(parts.kind, () => kindAlone(person));
  // The first one came right after gigabytes of images had been written.
  await take(warm, () => up(person));
  await take('down', () => command(person, 'down'));
  await take('up --help', () => command(person, 'up', '--help'));
  await take('up --help, without npm', () => withoutNpm(person, 'up', '--help'));
}

/** Prints all that there is so far, and writes it to the page. */
function report(): void {
  const results: Results = { line, date: new Date().toISOString().slice(0, 10), machine: machine(docker), samples };
  say(`\n${asText(results)}\n`);
  say(JSON.stringify(results));
  writeFileSync(page, withSection(readFileSync(page, 'utf8'), results));
}

const docker = execFileSync('docker', ['version', '--format', '{{.Server.Version}}'], { encoding: 'utf8' }).trim();

// Looked for first: what comes afterwards removes a cluster of that name.
const there = execFileSync('kind', ['get', 'clusters', '--quiet'], { encoding: 'utf8' }).split('\n');
if (there.includes('platform-ops')) throw new Error('There is a cluster platform-ops already, which would be removed.');
const person = await newPerson({ cluster: 'platform-ops', ports: { http: 8080, https: 8443 }, sharesImages: false });
try {
  for (let turn = 1; turn <= runs; turn += 1) {
    say(`Run ${turn} of ${runs}`);
    await round(person, turn);
    // After each: a later one that fails takes nothing with it.
    report();
  }
} finally {
  await person.remove();
}
