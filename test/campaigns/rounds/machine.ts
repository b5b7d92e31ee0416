import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Person } from '../../e2e/support.ts';

const kindLabel = 'io.x-k8s.kind.cluster';
/** What may be there afterwards: caches, the local authority, and what npm and Git keep for themselves. */
const lasting =
  /^home\/(\.cache|\.local\/share\/platform-ops|\.npm)(\/|$)|^my platform\/(node_modules|\.git)(\/|$)|^home\/\.local(\/share)?$/;

function lines(...command: [string, ...string[]]): string[] {
  const [file, ...args] = command;
  const { stdout, status, stderr } = spawnSync(file, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
  return stdout.split('\n').filter(Boolean);
}

/**
 * All that a cluster could leave behind on this machine, a line each: containers, volumes, networks, processes, files
 * outside the caches, listening ports. Of Docker, everything counts but what belongs to other clusters of kind, which
 * somebody else may make and delete meanwhile.
 */
export function remains(person: Person, cluster: string, ports: readonly number[]): Set<string> {
  const base = join(person.clone, '..');
  const owner = statSync(person.clone).uid;
  const containers = lines('docker', 'ps', '--all', '--format', `{{.Names}} {{.Label "${kindLabel}"}}`)
    .map((line) => line.split(' '))
    .filter(([, of]) => of === '' || of === cluster);
  return new Set([
    ...containers.map(([name]) => `container ${name}`),
    ...lines('docker', 'volume', 'ls', '--quiet', '--filter', 'dangling=true').map((name) => `volume ${name}`),
    ...lines('docker', 'network', 'ls', '--format', '{{.Name}}').map((name) => `network ${name}`),
    ...processesOf(person, cluster, owner),
    ...filesBelow(base).map((path) => `file ${path}`),
    ...listening(ports).map((port) => `port ${port}`),
  ]);
}

/** Those of the person's own number, where that is nobody else's, and those that name the cluster or the clone. */
function processesOf(person: Person, cluster: string, owner: number): string[] {
  const own = owner === process.getuid?.() ? undefined : owner;
  return lines('ps', '-A', '-ww', '-o', 'uid=,pid=,args=').flatMap((line) => {
    const [, uid, pid, command = ''] = line.match(/^\s*(\d+)\s+(\d+)\s+(.*)$/) ?? [];
    const names = command.includes(person.clone) || command.includes(`${cluster}-control-plane`);
    return Number(uid) === own || names ? [`process ${pid} ${command}`] : [];
  });
}

function filesBelow(base: string, folder = base): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    const name = relative(base, path);
    if (lasting.test(name)) return [];
    return entry.isDirectory() ? [name, ...filesBelow(base, path)] : [name];
  });
}

function listening(ports: readonly number[]): string[] {
  const all = lines('ss', '--no-header', '--tcp', '--listening', '--numeric');
  return ports.filter((port) => all.some((line) => line.includes(`:${port} `))).map(String);
}

/** What is in the second that was not in the first. */
export function added(before: ReadonlySet<string>, after: ReadonlySet<string>): string[] {
  return [...after].filter((line) => !before.has(line));
}
