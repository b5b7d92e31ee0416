import { spawn } from 'node:child_process';
import {
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type OnTerminal, onTerminal, type Step } from '../support/terminal.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const dockerSocket = '/var/run/docker.sock';
/** Nobody's number: a user without any right but that of using Docker. */
const ordinaryUser = 54321;

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
  /** Both, as a person sees them. */
  text: string;
  seconds: number;
}

export interface RunOptions {
  env?: Record<string, string>;
  cwd?: string;
  /** Called with the process's number and all it has said so far: when it has started, and whenever it says something. */
  watch?: (pid: number, text: string) => void;
}

/** A person's machine: a home folder and a fresh clone in a path with spaces, used without root rights. */
export interface Person {
  home: string;
  /** Where the programs run. Who clones by hand says where that led. */
  clone: string;
  env: Record<string, string>;
  /** Runs a program in the clone, as this person. Never throws for an exit code. */
  run(command: readonly [string, ...string[]], options?: RunOptions): Promise<Ran>;
  /** The same behind a terminal. */
  runOnTerminal(command: string): Promise<Ran>;
  /** A shell command behind a terminal, where somebody waits for each text and then presses keys. */
  answer(command: string, ...steps: Step[]): Promise<OnTerminal>;
  /** `npm run --silent NAME -- ARGS`. */
  npm(name: string, ...args: string[]): Promise<Ran>;
  /** Deletes the cluster, whatever state it is in, and the folders. */
  remove(): Promise<void>;
}

export interface PersonOptions {
  cluster: string;
  ports: { http: number; https: number };
  env?: Record<string, string>;
  /** Whether the images that others kept are there already, and what this one keeps is theirs. Default: yes. */
  sharesImages?: boolean;
  /** Whether the clone borrows its objects from another one. Default: no. */
  borrows?: boolean;
}

/** A cluster that several parts of a test use one after the other. */
export interface SharedPlatform extends Pick<PersonOptions, 'cluster' | 'ports'> {
  /** @returns the person, with the platform up as it was at the first commit. */
  begin(): Promise<Person>;
  remove(): Promise<void>;
}

/** A person with a home folder and a folder to clone into, in which nothing is yet. */
export function newcomer({ cluster, ports, env: extra = {}, sharesImages = true }: PersonOptions): Person {
  const base = mkdtempSync(join(tmpdir(), 'platform ops e2e '));
  const home = join(base, 'home');
  const clone = join(base, 'my platform');
  mkdirSync(home);
  if (sharesImages) shareImages(home);
  mkdirSync(clone);
  const identity = ordinaryIdentity();
  const env: Record<string, string> = {
    HOME: home,
    CLUSTER_NAME: cluster,
    HTTP_PORT: String(ports.http),
    HTTPS_PORT: String(ports.https),
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'A Person',
    GIT_AUTHOR_EMAIL: 'person@example.com',
    GIT_COMMITTER_NAME: 'A Person',
    GIT_COMMITTER_EMAIL: 'person@example.com',
    ...inherited(['PATH', 'KIND_NODE_IMAGE', 'NODE_EXTRA_CA_CERTS', 'IGNORE_CHECKS', 'DOCKER_HOST']),
    ...extra,
  };
  const person: Person = {
    home,
    clone,
    env,
    run: (command, options = {}) =>
      start(command, { ...options, cwd: options.cwd ?? person.clone, env: { ...env, ...options.env }, ...identity }),
    runOnTerminal: (command) =>
      start(['script', '-qefc', command, '/dev/null'], {
        cwd: person.clone,
        env: { ...env, TERM: 'xterm' },
        ...identity,
      }),
    answer: (command, ...steps) =>
      onTerminal(command, steps, { cwd: person.clone, env: { ...env, TERM: 'xterm' }, ...identity, timeout: 600_000 }),
    npm: (name, ...args) => person.run(['npm', 'run', '--silent', name, '--', ...args]),
    async remove() {
      await start(['kind', 'delete', 'cluster', '--name', cluster, '--kubeconfig', join(base, 'none')], {
        cwd: tmpdir(),
        env,
      });
      rmSync(base, { recursive: true, force: true });
    },
  };
  return person;
}

/** @returns a platform that comes up when the first part begins. */
export function sharedPlatform(options: PersonOptions): SharedPlatform {
  let person: Person | undefined;
  let first: string;
  return {
    cluster: options.cluster,
    ports: options.ports,
    async begin() {
      if (person === undefined) {
        person = await newPerson(options);
        first = (await demand(person.run(['git', 'rev-parse', 'HEAD']))).stdout.trim();
      } else {
        await demand(person.run(['git', 'reset', '--quiet', '--hard', first]));
        await demand(person.run(['git', 'clean', '--quiet', '-fd']));
      }
      await demand(person.npm('up'));
      return person;
    },
    remove: async () => person?.remove(),
  };
}

/** Clones this repository at its commit, with the packages that are installed here: `npm ci` types who reads the README. */
export async function newPerson(options: PersonOptions): Promise<Person> {
  const person = newcomer(options);
  const quietly = { cwd: tmpdir(), env: inherited(['PATH']) };
  const modules = join(person.clone, 'node_modules');
  if (options.borrows) {
    const other = join(dirname(person.home), 'other.git');
    await cloneFor(person, other, '--bare');
    await demand(person.run(['git', 'clone', '--quiet', '--shared', other, person.clone]));
  } else await cloneFor(person, person.clone);
  await demand(start(['cp', '-r', join(repository, 'node_modules'), modules], quietly));
  rmSync(join(modules, '.cache'), { recursive: true, force: true });
  const identity = ordinaryIdentity();
  if (identity) await demand(start(['chown', '-R', `${identity.uid}:${identity.gid}`, modules], quietly));
  return person;
}

/** Clones this repository at its commit into a folder of the person's, who owns all of it afterwards. */
export async function cloneFor(person: Person, folder: string, ...flags: string[]): Promise<void> {
  const base = dirname(person.home);
  // No hard links: changing the owner of the clone's objects must not change that of the original's.
  await demand(
    start(['git', 'clone', '--quiet', '--no-hardlinks', ...flags, repository, folder], {
      cwd: base,
      env: inherited(['PATH', 'HOME']),
    }),
  );
  const identity = ordinaryIdentity();
  if (identity) own(base, identity.uid, identity.gid);
}

/** Under which user a person's programs run, where that is not ours. */
function ordinaryIdentity(): { uid: number; gid: number } | undefined {
  return process.getuid?.() === 0 ? { uid: ordinaryUser, gid: statSync(dockerSocket).gid } : undefined;
}

/** One cache of images for all tests of this machine: the first cluster fills it. `down --purge` takes the link away, no more. */
function shareImages(home: string): void {
  const shared = join(tmpdir(), 'platform-ops-e2e-images');
  mkdirSync(shared, { recursive: true, mode: 0o700 });
  if (process.getuid?.() === 0) own(shared, ordinaryUser, statSync(dockerSocket).gid);
  const cache = join(home, '.cache', 'platform-ops');
  mkdirSync(cache, { recursive: true });
  symlinkSync(shared, join(cache, 'images'));
}

/** Writes the decoy of a kubeconfig that a person already has, pointing to `server`. Hands back its text. */
export function giveKubeconfig(person: Person, server: string): string {
  const text = [
    'apiVersion: v1',
    'kind: Config',
    'current-context: production',
    `clusters: [{name: production, cluster: {server: "${server}"}}]`,
    'contexts: [{name: production, context: {cluster: production, user: boss}}]',
    'users: [{name: boss, user: {token: abc}}]',
    '',
  ].join('\n');
  mkdirSync(join(person.home, '.kube'));
  writeFileSync(join(person.home, '.kube', 'config'), text, { mode: 0o600 });
  if (process.getuid?.() === 0) own(join(person.home, '.kube'), ordinaryUser, statSync(dockerSocket).gid);
  return text;
}

/** Runs a program to its end. */
export function start(
  [file, ...args]: readonly [string, ...string[]],
  { watch, ...options }: RunOptions & { cwd: string; env: Record<string, string>; uid?: number; gid?: number },
): Promise<Ran> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    if (child.pid !== undefined) watch?.(child.pid, '');
    const ran = { stdout: '', stderr: '', text: '' };
    const collect = (stream: 'stdout' | 'stderr') => (chunk: Buffer) => {
      ran[stream] += chunk.toString('utf8');
      ran.text += chunk.toString('utf8');
      watch?.(child.pid as number, ran.text);
    };
    child.stdout.on('data', collect('stdout'));
    child.stderr.on('data', collect('stderr'));
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...ran, code: code ?? -1, seconds: (performance.now() - started) / 1000 }));
  });
}

/** Throws with all output where the exit code is not 0. */
export async function demand(running: Promise<Ran>): Promise<Ran> {
  const ran = await running;
  if (ran.code !== 0) throw new Error(`exit code ${ran.code}:\n${ran.text}`);
  return ran;
}

function inherited(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

function own(path: string, uid: number, gid: number): void {
  lchownSync(path, uid, gid);
  if (lstatSync(path).isDirectory()) for (const entry of readdirSync(path)) own(join(path, entry), uid, gid);
}
