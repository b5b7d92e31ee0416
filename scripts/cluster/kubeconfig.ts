import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path';
import { parse, parseDocument } from 'yaml';
import type { Config } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import { UsageError } from '../lib/errors.ts';
import { withTemporaryFolder, writeWhole } from '../lib/files.ts';

/**
 * Takes the login of TARGET_CONTEXT over from the person's own kubeconfigs into the private one, with nothing else that is
 * in them. Those are only read. Throws a `UsageError` where they have no such context.
 */
export async function copyUserContext(context: Context): Promise<void> {
  const { config, exec, kubeContext } = context;
  const { path } = await context.toolbox.find('kubectl');
  const env = { KUBECONFIG: config.userKubeconfigs.join(delimiter) };
  const ask = (...args: string[]) => exec([path, 'config', ...args], { env, nothrow: true, timeout: 30_000 });
  const { exitCode, stdout, stderr } = await ask('view', '--minify', '--flatten', '--context', kubeContext);
  if (exitCode === 0 && serverIn(stdout) !== undefined)
    return writePrivateKubeconfig(context, await detached(stdout, config.userKubeconfigs));
  const there = (await ask('get-contexts', '--output=name')).stdout.trim().split('\n').filter(Boolean);
  const isAbsent = /does not exist|no context exists|cannot locate context/.test(stderr) || stderr === '';
  const why = isAbsent ? '' : `: ${stderr.trim().split('\n').at(-1)}`;
  throw new UsageError(
    `The context ${kubeContext} of TARGET_CONTEXT can't be taken from ${config.userKubeconfigs.join(' or ')}${why}.`,
    {
      id: 'target-no-context',
      hint:
        there.length > 0
          ? `There are: ${there.join(', ')}.`
          : 'Log in to the cluster as its provider tells, so that it has a context.',
    },
  );
}

/**
 * Makes a login work outside of its kubeconfig's folder and beside many others: paths, which client-go takes from that folder,
 * become absolute, and a plugin that wants a terminal in any case is run without one. kubectl flattens certificates alone.
 * @param text a kubeconfig of one user.
 * @param files where the user is from: the first one that has it, as kubectl takes it.
 */
async function detached(text: string, files: readonly string[]): Promise<string> {
  // By YAML 1.1, as kubectl reads it, in which a name may have to be quoted that today's YAML takes as it is.
  const document = parseDocument(text, { version: '1.1' });
  const user = ['users', 0, 'user'];
  const plugin = [...user, 'exec', 'command'];
  const relative = [plugin, [...user, 'tokenFile']].filter((path) => {
    const value = document.getIn(path);
    // A bare name of a program is looked for on the PATH.
    return typeof value === 'string' && !isAbsolute(value) && (path !== plugin || value.includes('/'));
  });
  const mode = [...user, 'exec', 'interactiveMode'];
  const isInteractive = document.getIn(mode) === 'Always';
  if (relative.length === 0 && !isInteractive) return text;
  const folder = relative.length > 0 && (await folderOfUser(`${document.getIn(['users', 0, 'name'])}`, files));
  for (const path of relative) if (folder) document.setIn(path, resolve(folder, `${document.getIn(path)}`));
  if (isInteractive) document.setIn(mode, 'IfAvailable');
  return document.toString({ lineWidth: 0 });
}

async function folderOfUser(name: string, files: readonly string[]): Promise<string | undefined> {
  for (const file of files) {
    const { users } = (parse(await readFile(file, 'utf8').catch(() => '')) ?? {}) as { users?: { name?: unknown }[] };
    if (users?.some((user) => `${user.name}` === name)) return dirname(file);
  }
  return undefined;
}

/** The address of the API server that a kubeconfig with one cluster names, or undefined. */
export function serverIn(kubeconfig: string): string | undefined {
  const { clusters } = (parse(kubeconfig) ?? {}) as { clusters?: { cluster?: { server?: string } }[] | null };
  return clusters?.[0]?.cluster?.server;
}

/** Writes the private kubeconfig of this cluster, where it is not as it should be. Nobody else can read it. */
export async function writePrivateKubeconfig(context: Context, text: string): Promise<void> {
  const known = await readFile(context.kubeconfig, 'utf8').catch(() => '');
  if (known === text) return;
  await mkdir(context.config.stateDir, { recursive: true, mode: 0o700 });
  writeWhole(context.kubeconfig, text, { ownerOnly: true });
  context.reconnect();
}

/**
 * Does what only looks, with a copy of the folder of this cluster that is gone afterwards: a kubeconfig that has to be fetched
 * leaves no trace.
 */
export function withScratchState<T>(config: Config, work: (config: Config) => Promise<T>): Promise<T> {
  return withTemporaryFolder(async (stateDir) => {
    await copyFile(join(config.stateDir, 'kubeconfig'), join(stateDir, 'kubeconfig')).catch(() => {});
    return work({ ...config, stateDir });
  });
}
