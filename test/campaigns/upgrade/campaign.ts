import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { demand, newPerson, type Ran } from '../../e2e/support.ts';

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
const git = async (...args: string[]) =>
  (await demand(person.run(['git', '-c', 'advice.detachedHead=false', ...args]))).stdout.trim();
const now = await git('rev-parse', 'HEAD');

/** What `git pull` or going back to an earlier version comes to: the branch is at another commit, with its packages. */
async function checkOut(commit: string): Promise<void> {
  await git('reset', '--quiet', '--hard', commit);
  await demand(person.run(['npm', 'ci', '--no-fund', '--no-audit']));
}

/**
 * An earlier version may not know IGNORE_CHECKS yet, and refuses a machine with cgroup v1. Where that is to be ignored, Docker
 * tells it of cgroup v2.
 * @returns what to change in its environment.
 */
function oldEnvironment(): Record<string, string> {
  if (!/\bcgroup\b/.test(process.env.IGNORE_CHECKS ?? '')) return {};
  const folder = join(person.home, 'old programs');
  mkdirSync(folder, { recursive: true });
  const script = [
    '#!/bin/bash',
    'PATH=$(echo ":$PATH:" | sed "s|:$(dirname "$0"):|:|")',
    // kind has to know what there really is.
    '[ "$1" = info ] && [ "$(ps -o comm= -p $PPID)" != kind ] || exec docker "$@"',
    `docker "$@" | sed 's/"CgroupVersion":"1"/"CgroupVersion":"2"/'`,
  ];
  writeFileSync(join(folder, 'docker'), `${script.join('\n')}\n`, { mode: 0o755 });
  return { PATH: `${folder}:${process.env.PATH}` };
}

/** Runs a command of the version that is checked out. */
async function run(version: 'old' | 'new', name: string, ...flags: string[]): Promise<Ran> {
  const env = version === 'old' ? oldEnvironment() : {};
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
  await checkOut(from);
  await demand(run('old', 'up'));
  await checkOut(now);
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
