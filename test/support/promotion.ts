import assert from 'node:assert/strict';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { findCommand } from '../../scripts/commands/index.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import { Interrupted, UserError } from '../../scripts/lib/errors.ts';
import { imageInValues } from '../../scripts/repository/image-values.ts';
import { root } from './helm.ts';
import { commit, copies, git, gitEnvironment, write } from './repository.ts';
import { sed } from './sed.ts';

/** What a command said and did, as a person sees it: data, then progress, then the error with its hint. */
export interface Said {
  /** The exit code, or that of the error. */
  code: number;
  text: string;
  stdout: string;
  /** Of the error. */
  id?: string | undefined;
}

export interface RunOptions {
  flags?: Record<string, boolean | number | string>;
  env?: Record<string, string | undefined>;
  signal?: AbortSignal;
}

/** The services of the platforms that are made here, whichever others this repository may have by now. */
export const services = ['api-node', 'core-go', 'worker-python'];

/** The values file that most tests are about, and nobody to commit as. */
export const core = 'helm/core-go/values.yaml';
export const nobody = Object.fromEntries(
  ['AUTHOR_NAME', 'AUTHOR_EMAIL', 'COMMITTER_NAME', 'COMMITTER_EMAIL'].map((name) => [`GIT_${name}`, undefined]),
);

const platforms = new Map<string, (folder: string) => string>();

/** Makes a repository with the charts' values and the Applications of this one, below `inside` if that is given. */
export function createPlatform(folder: string, inside = ''): string {
  const make = platforms.get(inside) ?? copies((first) => writePlatform(first, inside));
  platforms.set(inside, make);
  return join(make(folder), inside);
}

function writePlatform(folder: string, inside: string): void {
  const target = join(folder, inside);
  mkdirSync(target, { recursive: true });
  for (const name of ['project', ...services])
    cpSync(join(root, 'argocd', `${name}.yaml`), join(target, 'argocd', `${name}.yaml`), { recursive: true });
  cpSync(join(root, '.gitignore'), join(target, '.gitignore'));
  for (const service of services) {
    for (const file of ['values.yaml', 'values.schema.json'])
      write(join(target, 'helm', service), file, readFileSync(join(root, 'helm', service, file), 'utf8'));
  }
  commit(folder, 'Start');
}

/** Runs a command as `npm run NAME -- OPERANDS` would, in this process, where no cluster is. */
export async function run(
  folder: string,
  [name, ...operands]: readonly [string, ...string[]],
  { flags = {}, env = {}, signal = new AbortController().signal }: RunOptions = {},
): Promise<Said> {
  const command = await findCommand(name);
  if (!command) throw new Error(`there is no command ${name}`);
  const stream = new PassThrough();
  const progress: string[] = [];
  stream.on('data', (chunk: Buffer) => progress.push(chunk.toString('utf8')));
  const printed: string[] = [];
  const said = (code: number, ...more: string[]): Said => ({
    code,
    text: [...printed, ...progress, ...more].join('\n'),
    stdout: printed.join('\n'),
  });
  const config = loadConfig(folder, {
    ...gitEnvironment,
    HOME: join(folder, 'no home'),
    CLUSTER_NAME: 'unit-test-none',
    GHCR_CREDENTIALS: 'none',
    ...env,
  });
  try {
    const code = await command.run({
      config,
      flags,
      word: undefined,
      operands,
      signal,
      print: (text) => printed.push(text),
      progressStream: stream as unknown as NodeJS.WriteStream,
    });
    return said(code);
  } catch (error) {
    if (error instanceof Interrupted) return said(130);
    if (!(error instanceof UserError)) throw error;
    return { ...said(error.exitCode, error.message, error.hint ?? ''), id: error.id };
  }
}

/** The same where it has to succeed. @returns what it said. */
export async function demand(
  folder: string,
  words: readonly [string, ...string[]],
  options: RunOptions = {},
): Promise<string> {
  const said = await run(folder, words, options);
  assert.equal(said.code, 0, said.text);
  return said.text;
}

/** Promotes as the platform's CI does, which takes a tenth of the time. @returns the commit. */
export function promoted(folder: string, tag: string, service = 'core-go'): string {
  const text = sed(values(folder, service), `ghcr.io/zainasr/${service}`, tag);
  return commit(folder, `chore: promote images ${tag}`, { [`helm/${service}/values.yaml`]: text });
}

/** Writes a hook into a folder of hooks of a repository. */
export function hook(folder: string, name: string, script: string, where = '.git/hooks'): void {
  write(folder, `${where}/${name}`, `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, where, name), 0o755);
}

/** Waits until a hook that `begun` names has begun, and no longer than the command runs. */
export async function waitForHook(begun: string, command: Promise<unknown>): Promise<void> {
  let ended = false;
  const end = () => {
    ended = true;
  };
  command.then(end, end);
  while (!existsSync(begun)) {
    assert(!ended, 'the hook did not run');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What a hook's script says in place of you, in another folder than its own. */
export function typed(folder: string, ...commands: string[]): string {
  const variables = 'GIT_DIR GIT_INDEX_FILE GIT_WORK_TREE GIT_PREFIX';
  const quarantine = 'GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES';
  return [`unset ${variables} ${quarantine}`, `cd "${folder}"`, ...commands].join('\n');
}

/** The tag of a service, in the working tree or at a revision. */
export function tagOf(folder: string, service = 'core-go', revision?: string): string | undefined {
  return imageInValues(values(folder, service, revision))?.tag;
}

/** The text of a service's values file, in the working tree or at a revision. */
export function values(folder: string, service: string, revision?: string): string {
  const file = `helm/${service}/values.yaml`;
  if (revision === undefined) return readFileSync(join(folder, file), 'utf8');
  return `${git(folder, 'show', `${revision}:./${file}`)}\n`;
}

/** The subjects of all commits, newest first. */
export function subjects(folder: string, revision = 'HEAD'): string[] {
  return git(folder, 'log', '--format=%s', revision).split('\n');
}

/** What is edited, staged or new, as `git status --short` tells it. */
export function dirt(folder: string): string {
  return git(folder, 'status', '--short');
}
