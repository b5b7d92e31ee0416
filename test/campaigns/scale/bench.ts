// What the commands and Argo CD take as services are added: SERVICES=3,30,100 sets the sizes. It makes a clone and a cluster
// of its own, and prints a table, and JSON behind it. Nothing is asserted but that the commands do their work.
import { cpSync, existsSync } from 'node:fs';
import { cpus, homedir, totalmem } from 'node:os';
import { join } from 'node:path';
import { cloneFor, demand, newcomer, type Person } from '../../e2e/support.ts';
import { argoCd } from './argo-cd.ts';
import { type Measured, measure } from './measure.ts';
import { argoCdTable, type Size, wallTable } from './table.ts';

const sizes = (process.env.SERVICES ?? '3,30,100').split(',').map(Number);
const cluster = process.env.CLUSTER_NAME ?? 'scale';
const ports = { http: Number(process.env.HTTP_PORT ?? 29280), https: Number(process.env.HTTPS_PORT ?? 29643) };
const say = (text: string) => void process.stderr.write(`${text}\n`);

/**
 * What may come out of a command: of `diff`, that something differs; of `validate`, that kube-score wants pods of the services
 * of a smaller size, which have none by then.
 */
const fine: Record<string, readonly number[]> = { diff: [0, 1], validate: [0, 1] };

async function take(person: Person, size: Size, title: string, name: string, ...args: string[]): Promise<void> {
  const { ran, ...measured } = await measure(person, name, ...args);
  if (!(fine[name] ?? [0]).includes(measured.code)) throw new Error(`${title}: exit code ${ran.code}\n${ran.text}`);
  size.commands[title] = measured;
  say(`${size.services} services, ${title}: ${told(measured)}`);
}

/** For what takes a second, in which Argo CD may be busy or not: the one of three that took neither longest nor shortest. */
async function takeMiddle(person: Person, size: Size, title: string, name: string, ...args: string[]): Promise<void> {
  const all: Measured[] = [];
  for (let turn = 0; turn < 3; turn += 1) {
    await take(person, size, title, name, ...args);
    all.push(size.commands[title] as Measured);
  }
  size.commands[title] = all.toSorted((one, other) => one.wall - other.wall)[1] as Measured;
}

function told({ wall, cpu, peak, load }: Measured): string {
  return `${wall.toFixed(1)} s, CPU ${cpu.toFixed(1)} s, ${peak?.toFixed(0) ?? '-'} MiB, load ${load.toFixed(1)}`;
}

const generate = (person: Person, ...args: string[]) =>
  demand(person.run([process.execPath, '--import', 'tsx', 'test/campaigns/scale/generate.ts', ...args]));

async function commit(person: Person, message: string): Promise<void> {
  await demand(person.run(['git', 'add', '--all']));
  await demand(person.run(['git', 'commit', '--quiet', '--allow-empty', '--message', message]));
}

async function measureSize(person: Person, services: number, isFirst: boolean): Promise<Size> {
  const size: Size = { services, commands: {} };
  await generate(person, 'services', String(services));
  await take(person, size, 'validate', 'validate');
  await generate(person, 'no-pods');
  await commit(person, `Have ${services} services`);
  await take(person, size, isFirst ? 'up, from nothing' : 'up, to the new services', 'up');
  await take(person, size, 'up, nothing to do', 'up');
  await takeMiddle(person, size, 'status', 'status');
  await takeMiddle(person, size, 'status --json', 'status', '--json');
  await generate(person, 'touch', `touched-${services}`);
  await take(person, size, 'diff, every service edited', 'diff');
  await commit(person, 'Touch every service');
  await take(person, size, 'sync, every service changed', 'sync');
  size.argoCd = await argoCd(person, cluster);
  return size;
}

const person = newcomer({ cluster, ports, env: { GHCR_CREDENTIALS: 'none' } });
try {
  // The tools that you have already need not be downloaded again: they are not what is measured.
  const tools = join(homedir(), '.cache/platform-ops/tools');
  if (existsSync(tools)) cpSync(tools, join(person.home, '.cache/platform-ops/tools'), { recursive: true });
  await cloneFor(person, person.clone);
  await demand(person.run(['npm', 'ci', '--no-fund', '--no-audit']));
  say('Once, so that every tool is there:');
  await demand(person.npm('validate'));
  const measured: Size[] = [];
  for (const [index, services] of sizes.entries()) measured.push(await measureSize(person, services, index === 0));
  const machine = { processors: cpus().length, model: cpus()[0]?.model, memoryGiB: Math.round(totalmem() / 1024 ** 3) };
  process.stdout.write(`${[...wallTable(measured), '', ...argoCdTable(measured), ''].join('\n')}\n`);
  process.stdout.write(`${JSON.stringify({ machine, sizes: measured }, undefined, 2)}\n`);
} finally {
  await person.remove();
}
