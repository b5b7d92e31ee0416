import type { Exec } from '../../lib/processes/exec.ts';
import type { Secret } from '../../lib/secret.ts';
import { registry } from './check.ts';
import { dockerPassword } from './docker-store.ts';

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

export interface Places {
  inEnvironment: Secret | undefined;
  inFile: Secret | undefined;
  exec: Exec;
  /** Docker's folder of settings, usually `~/.docker`. */
  dockerFolder: string;
}

/** All places, in the order in which they are asked. */
export function tokenSources({ inEnvironment, inFile, exec, dockerFolder }: Places): TokenSource[] {
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
      title: `the token of Docker's login to ${registry}`,
      deliberate: false,
      find: () => dockerPassword(exec, dockerFolder, registry),
    },
  ];
}

/** GitHub's own command line keeps a token of its own, which may read packages if that was asked for. */
async function ghToken(exec: Exec): Promise<string | undefined> {
  const command = ['gh', 'auth', 'token', '--hostname', 'github.com'] as const;
  const { stdout, exitCode } = await exec(command, { nothrow: true, timeout: 30_000 });
  return exitCode === 0 ? stdout : undefined;
}
