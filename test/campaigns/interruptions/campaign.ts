import { newPerson, type Person, type Ran } from '../../e2e/support.ts';
import { kill, type Moment, stepsIn } from './killing.ts';
import { leftOf, objectsOf } from './looking.ts';
import { differences } from './normalised.ts';
import { randomFrom } from './random.ts';

/**
 * Kills commands again and again, at each step of theirs and at random moments, has them take up their work, and compares
 * the cluster with one that was never interrupted. SEED makes the same moments again; COUNT is the number of random ones
 * for each command; ONLY=up,reset,down picks commands; CLUSTER_NAME, HTTP_PORT and HTTPS_PORT say where. Takes about half
 * a minute for each interruption.
 */
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const count = Number(process.env.COUNT ?? 20);
const only = (process.env.ONLY ?? 'up,reset,down').split(',');
const cluster = process.env.CLUSTER_NAME ?? 'interruptions';
const ports = { http: Number(process.env.HTTP_PORT ?? 29080), https: Number(process.env.HTTPS_PORT ?? 29443) };
/** Interruptions before the work is let through and looked at. */
const atOnce = 4;
/** Seconds in which a command is killed at random: from scratch a node is made first. */
const span = { scratch: 25, up: 30, reset: 10, down: 2 };

const random = randomFrom(seed);
const say = (text: string) => void process.stdout.write(`${text}\n`);
let failures = 0;
let survived = 0;
let attempted = 0;

function fail(what: string): void {
  failures += 1;
  say(`✖ ${what}`);
}

/**
 * Kills a command at each of the moments, and counts how often it was. One that is done before its moment came leaves the
 * moment to `missed`: what an earlier interruption had done already is not done again.
 */
async function interrupt(
  person: Person,
  command: readonly string[],
  moments: readonly Moment[],
  missed: Moment[] = [],
): Promise<number> {
  let killed = 0;
  for (const moment of moments) {
    const when =
      'after' in moment ? `after ${(moment.after / 1000).toFixed(1)} s` : 'step' in moment ? `at ${moment.step}` : '';
    const ran = await kill(person, cluster, command, moment);
    say(`  ${command[0]} killed ${when}${ran.killed ? '' : `: it was done before (exit code ${ran.code})`}`);
    if (!ran.killed && ran.code !== 0) fail(`${command[0]} failed before it was killed ${when}:\n${ran.text}`);
    if (ran.killed) killed += 1;
    else missed.push(moment);
  }
  attempted += killed;
  return killed;
}

function told(moment: Moment): string {
  if ('after' in moment) return `after ${(moment.after / 1000).toFixed(1)} s`;
  return 'step' in moment ? `at ${moment.step}` : 'once its condition holds';
}

/** The missed moments again, each on its own and from the start; a random one earlier, until the command still runs then. */
async function makeUpFor(
  missed: readonly Moment[],
  before: () => Promise<unknown>,
  once: (moment: Moment, missed: Moment[]) => Promise<unknown>,
): Promise<void> {
  let left = missed;
  for (let tries = 0; tries < 3 && left.length > 0; tries += 1) {
    const again: Moment[] = [];
    for (const moment of left) {
      await before();
      await once('after' in moment ? { after: Math.round(moment.after / 2) } : moment, again);
    }
    left = again;
  }
  for (const moment of left) say(`  not reached: ${told(moment)}`);
}

/** Counts the interruptions as survived if the work that follows leads to where it should. */
async function judge(killed: number, what: string, work: () => Promise<string[]>): Promise<void> {
  const faults = await work().catch((error: Error) => [error.message]);
  if (faults.length === 0) survived += killed;
  else fail(`${what}:\n  ${faults.slice(0, 20).join('\n  ')}`);
  say(`${faults.length === 0 ? '✔' : '✖'} ${what}: ${survived} of ${attempted} interruptions survived so far`);
}

async function done(running: Promise<Ran>): Promise<Ran> {
  const ran = await running;
  if (ran.code !== 0) throw new Error(`exit code ${ran.code}:\n${ran.text}`);
  return ran;
}

const within = (seconds: number): Moment => ({ after: Math.round(random() * seconds * 1000) });
const times = (number: number, seconds: number) => Array.from({ length: number }, () => within(seconds));

/** Behind the last step there is nothing left to interrupt. */
const boundaries = (steps: readonly string[]): Moment[] => steps.slice(0, -1).map((step) => ({ step }));

function* portions<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += atOnce) yield all.slice(at, at + atOnce);
}

async function campaign(person: Person): Promise<void> {
  say('Bringing up a cluster that nobody interrupts.');
  const first = await done(person.npm('up'));
  const expected = await objectsOf(person, cluster);
  const steps = stepsIn(first.stderr);
  const asExpected = async () => {
    await done(person.npm('up'));
    return differences(expected, await objectsOf(person, cluster));
  };
  const gone = async () => {
    const ran = await done(person.npm('down'));
    return [...leftOf(person, cluster), ...(/\b[1-9]\d* left/.test(ran.stdout) ? [ran.stdout] : [])];
  };
  const cleared = () => done(person.npm('reset', '--yes'));
  say(`${expected.size} objects are compared. Steps: ${steps.join(', ')}`);

  if (only.includes('up')) {
    const once = async (moments: readonly Moment[], missed: Moment[]) =>
      judge(await interrupt(person, ['up'], moments, missed), 'up', asExpected);
    const missed: Moment[] = [];
    for (const moments of portions([...boundaries(steps), ...times(count, span.up)])) {
      await cleared();
      await once(moments, missed);
    }
    await makeUpFor(missed, cleared, (moment, again) => once([moment], again));
  }
  if (only.includes('reset')) {
    const once = async (moments: readonly Moment[], missed: Moment[]) =>
      judge(await interrupt(person, ['reset', '--yes'], moments, missed), 'reset, then up', asExpected);
    const resetSteps = stepsIn((await cleared()).stderr);
    await done(person.npm('up'));
    const missed: Moment[] = [];
    for (const moments of portions([...boundaries(resetSteps), ...times(count, span.reset)]))
      await once(moments, missed);
    // Each of them ended with an up.
    await makeUpFor(
      missed,
      async () => {},
      (moment, again) => once([moment], again),
    );
  }
  if (only.includes('down')) {
    for (const moments of portions(times(count, span.down))) {
      // The node is gone soon, so most of them meet one that an `up` had only half made.
      const killed = await interrupt(person, ['down'], moments.slice(0, 1));
      let [made, halved] = [0, 0];
      for (const moment of moments.slice(1)) {
        made += await interrupt(person, ['up'], times(1, span.scratch));
        halved += await interrupt(person, ['down'], [moment]);
      }
      await judge(killed + made + halved, 'down, of whole and half made clusters', gone);
      const again = await interrupt(person, ['up'], times(1, span.scratch));
      await judge(again, 'up from nothing', asExpected);
    }
  }
  await judge(0, 'the end', gone);
}

say(`SEED=${seed} COUNT=${count} CLUSTER_NAME=${cluster}`);
const person = await newPerson({ cluster, ports });
try {
  await campaign(person);
} finally {
  await person.remove();
}
say(`\n${survived} of ${attempted} interruptions survived (SEED=${seed} COUNT=${count}).`);
process.exit(failures === 0 ? 0 : 1);
