import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { demand, newPerson, type Ran } from '../../e2e/support.ts';
import { checkOut, dockerForOldVersion, programsBefore } from './old-version.ts';

/**
 * Takes clusters and a .state folder that an earlier version made over to the checked-out one: `git pull`, `npm ci`, and then
 * `status`, `up`, `reset` and `down`, each of them on what the earlier version installed. FROM is that version; CLUSTER_NAME,
 * HTTP_PORT and HTTPS_PORT say where. Prints the time of each command, and ends with exit code 1 where one did not get through.
 */
const from = process.env.FROM ?? '7cdd149';
const cluster = process.env.CLUSTER_NAME ?? 'upgrade';
const ports = { http: Number(process.env.HTTP_PORT ?? 31080), https: Number(process.env.HTTPS_PORT ?? 31443) };

const faults: string[] = [];
const say = (text: string) => void process.stdout.write(`${text}\n`);
const person = await newPerson({ cluster, ports });
const now = (await demand(person.run(['git', 'rev-parse', 'HEAD']))).stdout.trim();
const docker = dockerForOldVersion();
const oldEnvironment = docker.length > 0 ? { PATH: programsBefore(person, 'old programs', { docker }) } : {};

/** Runs a command of the version that is checked out. */
async function run(version: 'old' | 'new', name: string, ...flags: string[]): Promise<Ran> {
  const env = version === 'old' ? oldEnvironment : {};
  const ran = await person.run(['npm', 'run', '--silent', name, '--', ...flags], { env });
  const line = `${version} ${[name, ...flags].join(' ')}`;
  say(`  ${line.padEnd(28)} ${ran.seconds.toFixed(1).padStart(6)} s   exit code ${ran.code}`);
  return ran;
}

function expect(what: string, right: boolean, { text }: Pick<Ran, 'text'>): void {
  if (right) return;
  faults.push(what);
  say(`✖ ${what}:\n${text}`);
}

async function installOld(): Promise<void> {
  await checkOut(person, from);
  await demand(run('old', 'up'));
  await checkOut(person, now);
}

/** What is left and what was taken for somebody's own after `reset` has removed all that the platform installed. */
async function reset(): Promise<void> {
  const listed = await run('new', 'reset', '--dry-run', '--json');
  expect('reset --dry-run lists the platform', listed.code === 0, listed);
  const ran = await run('new', 'reset', '--yes', '--json');
  const result = ran.code === 0 ? JSON.parse(ran.stdout) : { removed: [], kept: [], left: ['it failed'] };
  const whole = result.removed.length > 100 && result.kept.length === 0 && result.left.length === 0;
  expect('reset removes all of it, and takes none of it for yours', whole, ran);
}

try {
  say(`From ${from} to ${now.slice(0, 7)}`);
  await installOld();
  const looked = await run('new', 'status', '--json');
  expect('status answers', looked.code <= 1 && looked.stdout.startsWith('{'), looked);
  const up = await run('new', 'up');
  expect('up gets through', up.code === 0, up);
  const status = await run('new', 'status');
  expect('status is content afterwards', status.code === 0, status);
  await reset();

  await installOld();
  await reset();

  await installOld();
  const down = await run('new', 'down', '--json');
  const { left = ['it failed'] } = down.code === 0 ? JSON.parse(down.stdout) : {};
  expect('down leaves nothing', left.length === 0, down);
  const state = join(person.clone, '.state');
  const files = existsSync(state) ? readdirSync(state) : [];
  expect('down empties .state', files.length === 0, { text: files.join('\n') });
  const nodes = await person.run(['docker', 'ps', '--all', '--quiet', '--filter', `name=^${cluster}-control-plane$`]);
  expect('no node is left', nodes.stdout === '', nodes);
} finally {
  await person.remove();
}
say(faults.length === 0 ? 'The upgrade gets through.' : `${faults.length} of the steps did not get through.`);
process.exitCode = faults.length === 0 ? 0 : 1;
