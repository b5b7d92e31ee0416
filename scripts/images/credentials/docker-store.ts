import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Exec } from '../../lib/processes/exec.ts';

interface DockerConfig {
  auths?: Record<string, { auth?: string }>;
  credsStore?: string;
  credHelpers?: Record<string, string>;
}

/** A keychain may first ask the person whether it shall answer. */
const patience = 30_000;

/**
 * The password that `docker login` left for a registry, or undefined. As Docker looks: a helper for this registry, else
 * the one for all, else the file itself. A store that doesn't answer has nothing.
 */
export async function dockerPassword(exec: Exec, folder: string, registry: string): Promise<string | undefined> {
  const config = await readConfig(join(folder, 'config.json'));
  const helper = config.credHelpers?.[registry] ?? config.credsStore;
  if (helper) {
    const kept = await fromHelper(exec, helper, registry);
    if (kept !== undefined) return kept;
  }
  const auths = config.auths ?? {};
  const { auth = '' } = auths[registry] ?? auths[`https://${registry}`] ?? {};
  const password = Buffer.from(auth, 'base64').toString('utf8').split(':').slice(1).join(':');
  return password === '' ? undefined : password;
}

/** Helpers are asked on standard input and answer in JSON (docker-credential-helpers, "Development"). */
async function fromHelper(exec: Exec, helper: string, registry: string): Promise<string | undefined> {
  // The name comes out of a file and becomes that of a program.
  if (!/^[\w.-]+$/.test(helper)) return undefined;
  try {
    const command = [`docker-credential-${helper}`, 'get'] as const;
    const { stdout, exitCode } = await exec(command, { input: registry, nothrow: true, timeout: patience });
    if (exitCode !== 0) return undefined;
    const { Username: name, Secret: secret } = JSON.parse(stdout) as { Username?: unknown; Secret?: unknown };
    // "<token>" marks a token of another protocol, which only Docker can use.
    return typeof secret === 'string' && secret !== '' && name !== '<token>' ? secret : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || (error as { timedOut?: number }).timedOut !== undefined) return undefined;
    throw error;
  }
}

async function readConfig(file: string): Promise<DockerConfig> {
  try {
    const config = JSON.parse(await readFile(file, 'utf8')) as DockerConfig | null;
    return config ?? {};
  } catch (error) {
    // Docker itself complains about a file that it can't read.
    if (error instanceof SyntaxError || ['ENOENT', 'EACCES', 'ENOTDIR', 'EISDIR'].includes(codeOf(error))) return {};
    throw error;
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
