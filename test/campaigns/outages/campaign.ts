import { newPerson, type Ran } from '../../e2e/support.ts';
import { complaints, type Fault, telling } from './fault.ts';
import { apiServer } from './faults/api-server.ts';
import { clock } from './faults/clock.ts';
import { cluster as clusterFaults } from './faults/cluster.ts';
import { disk } from './faults/disk.ts';
import { docker } from './faults/docker.ts';
import { download } from './faults/download.ts';
import { memory } from './faults/memory.ts';
import { person as personFaults } from './faults/person.ts';
import { registry } from './faults/registry.ts';
import { purge } from './purge.ts';
import { newWorld } from './world.ts';

/**
 * Plants one fault after the other on a real cluster, and looks how the command ends: with the work done after a retry
 * that shows, or with a message that tells cause and remedy, never in a hang. After each the cluster has to come back by
 * a plain `up`. Words behind `npm run test:faults --` choose faults by their names; CLUSTER_NAME, HTTP_PORT and
 * HTTPS_PORT say where. Takes about half a minute for each fault.
 */
const all: readonly Fault[] = [
  ...personFaults,
  ...download,
  ...registry,
  ...apiServer,
  ...clusterFaults,
  ...clock,
  ...docker,
  ...disk,
  ...memory,
];
const cluster = process.env.CLUSTER_NAME ?? 'faults';
const ports = { http: Number(process.env.HTTP_PORT ?? 29180), https: Number(process.env.HTTPS_PORT ?? 29543) };
/** Seconds in which a cluster has to be well again once a fault is taken away. */
const recovery = 420;

const words = process.argv.slice(2);
const chosen = all.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
const say = (text: string) => void process.stdout.write(`${text}\n`);

interface Row {
  fault: string;
  ended: string;
  said: string;
  seconds: string;
}

/** Plants the fault, judges the end, and has the cluster come back. Hands back the row of the table, and what is wrong. */
async function judge(fault: Fault, person: Awaited<ReturnType<typeof newPerson>>): Promise<[Row, string[]]> {
  const { world, cleanUp } = newWorld(person, cluster, fault.within);
  const missing = fault.missing?.(world);
  if (missing !== undefined) return [{ fault: fault.name, ended: 'not shown', said: missing, seconds: '' }, []];
  let ran: Ran | undefined;
  const wrong: string[] = [];
  try {
    ran = await fault.plant(world);
    const found = complaints(fault, ran);
    if (found.length > 0) wrong.push(`${found.join(', ')}:\n${ran.text}`);
  } catch (error) {
    wrong.push((error as Error).message);
  } finally {
    await cleanUp();
  }
  const back = await newWorld(person, cluster, recovery)
    .world.types('up')
    .catch((error: Error) => error);
  if (back instanceof Error) wrong.push(`afterwards, up: ${back.message}`);
  else if (back.code !== 0) wrong.push(`afterwards, up ended with exit code ${back.code}:\n${back.text}`);
  const row = { fault: fault.name, ended: fault.ends, said: ran ? telling(fault, ran.text) : '' };
  return [{ ...row, seconds: ran?.seconds.toFixed(1) ?? '' }, wrong];
}

// What lies in the cache needs no registry, and so meets none of its faults.
const person = await newPerson({ cluster, ports, env: { IMAGE_CACHE_GB: '0' } });
const rows: Row[] = [];
let failures = 0;
try {
  const first = await person.npm('up');
  if (first.code !== 0) throw new Error(first.text);
  for (const fault of chosen) {
    say(`\n${fault.name} …`);
    const [row, wrong] = await judge(fault, person);
    rows.push(wrong.length === 0 ? row : { ...row, ended: `NOT ${row.ended}` });
    if (wrong.length > 0) failures += 1;
    say(wrong.length === 0 ? `✔ ${row.ended}: ${row.said} (${row.seconds} s)` : `✖ ${wrong.join('\n✖ ')}`);
  }
  if (words.length === 0 || words.includes('purge')) {
    say('\ndown -- --purge …');
    const wrong = await purge(person, cluster, say);
    rows.push({
      fault: 'down -- --purge',
      ended: wrong.length === 0 ? 'success' : 'NOT success',
      said: '',
      seconds: '',
    });
    if (wrong.length > 0) failures += 1;
    say(wrong.length === 0 ? '✔ all that it named is gone, and nothing else' : `✖ ${wrong.join('\n✖ ')}`);
  }
} finally {
  await person.remove();
}
say('\n| fault | ended in | it said | seconds |\n|---|---|---|---|');
for (const { fault, ended, said, seconds } of rows)
  say(`| ${fault} | ${ended} | ${said.replaceAll('|', '\\|')} | ${seconds} |`);
say(`\n${rows.length - failures} of ${rows.length} faults ended as they have to.`);
process.exit(failures === 0 ? 0 : 1);
