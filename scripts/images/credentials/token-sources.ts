import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Exec } from '../../lib/exec.ts';
import { fromBase64, Secret } from '../../lib/secret.ts';
import { type Explanation, ghcrHost } from './token-check.ts';

export type SourceName = 'environment' | '.env' | 'gh' | 'docker' | 'prompt';

/** A place where a token may be. */
export interface TokenSource {
  name: SourceName;
  /** For a sentence: "the token from … ". */
  title: string;
  /**
   * Put there for this very purpose: if it doesn't work, that is an error. Elsewhere tokens lie for other reasons, and
   * one that doesn't work is passed over.
   */
  deliberate: boolean;
  /** What is there, unchecked, or undefined. Looks only now. */
  find(): Promise<string | undefined>;
}

interface TokenPlaces {
  inEnvironment: Secret | undefined;
  inFile: Secret | undefined;
  exec: Exec;
  /** Docker's folder of settings, usually `~/.docker`. */
  dockerFolder: string;
}

/** All places, in the order in which they are asked. */
export function tokenSources({ inEnvironment, inFile, exec, dockerFolder }: TokenPlaces): TokenSource[] {
  return [
    {
      name: 'environment',
      title: 'the token in the environment',
      deliberate: false,
      find: async () => inEnvironment?.reveal(),
    },
    { name: '.env', title: 'GITHUB_TOKEN in .env', deliberate: true, find: async () => inFile?.reveal() },
    { name: 'gh', title: 'the token of gh', deliberate: false, find: () => ghToken(exec) },
    {
      name: 'docker',
      title: `the token of Docker's login to ${ghcrHost}`,
      deliberate: false,
      find: () => dockerPassword(exec, dockerFolder, ghcrHost),
    },
  ];
}

/** GitHub's own command line keeps a token of its own, which may read packages if that was asked for. */
async function ghToken(exec: Exec): Promise<string | undefined> {
  const command = ['gh', 'auth', 'token', '--hostname', 'github.com'] as const;
  const { stdout, exitCode } = await exec(command, { nothrow: true, timeout: 30_000 });
  return exitCode === 0 ? stdout : undefined;
}

interface DockerConfig {
  auths?: Record<string, { auth?: string }>;
  credsStore?: string;
  credHelpers?: Record<string, string>;
}

/** A keychain may first ask the person whether it shall answer. */
const helperTimeoutMs = 30_000;

/**
 * The password that `docker login` left for a registry, or undefined. As Docker looks: a helper for this registry, else
 * the one for all, else the file itself. A store that doesn't answer has nothing.
 */
async function dockerPassword(exec: Exec, folder: string, registry: string): Promise<string | undefined> {
  const config = await readConfig(join(folder, 'config.json'));
  const helper = config.credHelpers?.[registry] ?? config.credsStore;
  if (helper) {
    const kept = await fromHelper(exec, helper, registry);
    if (kept !== undefined) return kept;
  }
  const auths = config.auths ?? {};
  const { auth = '' } = auths[registry] ?? auths[`https://${registry}`] ?? {};
  const password = fromBase64(auth).split(':').slice(1).join(':');
  return password === '' ? undefined : password;
}

/** Helpers are asked on standard input and answer in JSON (docker-credential-helpers, "Development"). */
async function fromHelper(exec: Exec, helper: string, registry: string): Promise<string | undefined> {
  // The name comes out of a file and becomes that of a program.
  if (!/^[\w.-]+$/.test(helper)) return undefined;
  try {
    const command = [`docker-credential-${helper}`, 'get'] as const;
    const { stdout, exitCode } = await exec(command, { input: registry, nothrow: true, timeout: helperTimeoutMs });
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

/** A token as somebody gave it, looked at without asking anybody. */
type CleanedToken =
  | { state: 'empty' }
  | ({ state: 'refused' } & Explanation)
  /** `cut` says what stood around it and was left out. */
  | { state: 'clean'; token: Secret; cut: string | undefined };

/** What copying leaves around a token: blanks of every kind, line breaks, and quotes. */
const around = [
  { name: 'line breaks', pattern: /^[\r\n]+|[\r\n]+$/g },
  { name: 'blanks', pattern: /^[^\S\r\n]+|[^\S\r\n]+$|^[\u200b-\u200d\u2060\ufeff]+|[\u200b-\u200d\u2060\ufeff]+$/g },
  { name: 'quotes', pattern: /^["'`‘’“”]+|["'`‘’“”]+$/g },
] as const;

/** Cuts off what doesn't belong to the token. What is wrong inside it can't be mended. Never shows any of it. */
export function cleanToken(text: string): CleanedToken {
  const cut = new Set<string>();
  let token = text;
  for (let before: string | undefined; before !== token; ) {
    before = token;
    for (const { name, pattern } of around) {
      const rest = token.replace(pattern, '');
      if (rest !== token) cut.add(name);
      token = rest;
    }
  }
  if (token === '') return { state: 'empty' };
  if (/\s/.test(token)) return garbled('There is a blank or a line break inside the token.');
  if (!/^\w+$/.test(token)) return garbled('The token has characters in it that no token of GitHub has.');
  const names = around.map(({ name }) => name).filter((name) => cut.has(name));
  return { state: 'clean', token: new Secret(token), cut: names.length === 0 ? undefined : names.join(' and ') };
}

function garbled(message: string): CleanedToken {
  const remedy = "Copy it once more, as a whole, with the button beside it on GitHub's page.";
  return { state: 'refused', errorId: 'token-garbled', message, remedy };
}
