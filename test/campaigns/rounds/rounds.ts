import { setTimeout as sleep } from 'node:timers/promises';
import { demand, newPerson, type Person } from '../../e2e/support.ts';
import { median } from '../../support/measured.ts';
import { added, remains } from './machine.ts';
import { makeNeighbours, type Neighbours, objectsIn } from './neighbours.ts';

/**
 * `up`, `reset`, `up`, `down`, again and again, with another cluster of the same clone, a foreign cluster of kind and a
 * foreign container beside it. After each reset the cluster has to hold what kind's own holds, after each down the machine
 * what it held before, and the neighbours always what they held; these are paused while commands run. ROUNDS is how often; CLUSTER_NAME, HTTP_PORT and
 * HTTPS_PORT say where (the second cluster takes the next two ports). Prints the time of each command.
 */
const rounds = Number(process.env.ROUNDS ?? 5);
const cluster = process.env.CLUSTER_NAME ?? 'rounds';
const ports = { http: Number(process.env.HTTP_PORT ?? 30080), https: Number(process.env.HTTPS_PORT ?? 30443) };
/** Seconds that what Docker and npm leave behind them takes to end by itself. */
const patience = 10;

const say = (text: string) => void process.stdout.write(`${text}\n`);
const seconds = new Map<string, number[]>();
const faults: string[] = [];

async function timed(person: Person, label: string, ...command: [string, ...string[]]) {
  const ran = await demand(person.npm(...command));
  seconds.set(label, [...(seconds.get(label) ?? []), ran.seconds]);
  say(`  ${label.padEnd(18)} ${ran.seconds.toFixed(1).padStart(6)} s`);
  return ran;
}

/** Says what is left; nothing where the last of several looks finds nothing. */
async function expectNone(what: string, look: () => Promise<string[]> | string[]): Promise<void> {
  let left = await look();
  for (let waited = 0; left.length > 0 && waited < patience; waited += 1) {
    await sleep(1000);
    left = await look();
  }
  say(`  ${left.length} left ${what}`);
  faults.push(...left.map((line) => `${what}: ${line}`));
}

async function round(person: Person, neighbours: Neighbours): Promise<void> {
  const before = remains(person, cluster, Object.values(ports));
  const untouched = await neighbours.look();
  const touched = async () => {
    const now = await neighbours.look();
    return [...added(untouched, now).map((line) => `new: ${line}`), ...added(now, untouched).map((l) => `gone: ${l}`)];
  };
  const nothing = new Set(await neighbours.objectsOfKind());
  neighbours.freeze();
  await timed(person, 'up', 'up');
  await timed(person, 'reset', 'reset', '--yes');
  await expectNone('in the cluster', async () => added(nothing, new Set(await objectsIn(person, cluster))));
  await timed(person, 'up after reset', 'up');
  await timed(person, 'no-op up', 'up');
  await timed(person, 'down', 'down');
  await expectNone('on the machine', () => added(before, remains(person, cluster, Object.values(ports))));
  neighbours.thaw();
  await expectNone('changed at the neighbours', touched);
}

const person = await newPerson({ cluster, ports });
let neighbours: Neighbours | undefined;
try {
  say('Making the neighbours: a second cluster of this clone, a foreign one of kind, a foreign container.');
  neighbours = await makeNeighbours(person, cluster, { http: ports.http + 1, https: ports.https + 1 });
  for (let number = 1; number <= rounds; number += 1) {
    say(`Round ${number} of ${rounds}`);
    await round(person, neighbours);
  }
} finally {
  await neighbours?.remove();
  await person.remove();
}
say('\ncommand             median   fastest   slowest (s)');
for (const [label, all] of seconds) {
  const [middle, least, most] = [median(all), Math.min(...all), Math.max(...all)].map((one) => one.toFixed(1));
  say(`${label.padEnd(18)} ${middle?.padStart(7)} ${least?.padStart(9)} ${most?.padStart(9)}`);
}
const medianOf = (label: string) => median(seconds.get(label) ?? []);
say(`up after reset / up: ${(medianOf('up after reset') / medianOf('up')).toFixed(2)}`);
for (const fault of faults) say(`✖ ${fault}`);
say(`${faults.length} left over ${rounds} rounds.`);
process.exit(faults.length === 0 ? 0 : 1);
