import { UserError } from '../errors.ts';
import type { ChildKind, Exec, ExecOptions, Output } from '../exec.ts';
import type { Secret } from '../secret.ts';

/** Git in one folder. */
export interface Git {
  /** Returns exit code and output. Throws where it takes too long, or `Interrupted`. */
  attempt(args: readonly string[], options?: GitOptions): Promise<Output>;
  /** What it prints, without the last line end. Throws a `UserError` with Git's own words. */
  read(args: readonly string[], options?: GitOptions): Promise<string>;
}

export interface Login {
  username: string;
  password: Secret;
}

type GitOptions = Pick<ExecOptions, 'input' | 'timeout' | 'env' | 'signal'> & {
  /** The only login that an `anonymous` git has. */
  login?: Login | undefined;
};

interface Preset {
  as: ChildKind;
  env: Record<string, string>;
  /** Configuration that wins over the user's, as `git -c` takes it. */
  settings: readonly string[];
}

/** Nobody is asked for anything at the terminal. What git says is read, and LC_ALL would change the encoding for hooks. */
const typed: Preset = {
  as: 'user',
  env: { GIT_TERMINAL_PROMPT: '0', GIT_EDITOR: 'true', LANGUAGE: 'en' },
  settings: [],
};

const presets = {
  /**
   * Looks at a repository, or writes objects: for plumbing commands and for options that leave nothing to the user's settings.
   * Their configuration is still read: safe.directory is in it, and line ends, filters and ignored files that decide what is an
   * edit. No daemon is started, looking locks nothing, and an index of our own is one file.
   */
  reading: {
    as: 'tool',
    env: { LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0' },
    settings: ['core.fsmonitor=false', 'core.splitIndex=false'],
  },
  /** Commits as you do: with your hooks, signature and identity. */
  committing: typed,
  /** Fetches and pushes as a typed `git push` does, with your credential helpers, keys and tokens. */
  remote: typed,
  /** Asks as anybody: without logins, netrc, cookies, headers, insteadOf, or the configuration of a repository. */
  anonymous: {
    as: 'tool',
    env: {
      LC_ALL: 'C',
      GIT_TERMINAL_PROMPT: '0',
      GIT_ASKPASS: '',
      SSH_ASKPASS: '',
      GIT_DIR: '/dev/null',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_PARAMETERS: '',
      HOME: '/dev/null',
      XDG_CONFIG_HOME: '/dev/null',
      GIT_ALLOW_PROTOCOL: 'http:https:git:file',
    },
    settings: [],
  },
} satisfies Record<string, Preset>;

/** The user's settings that an anonymous git has as well: how servers are reached. */
const connection = '^http\\.(.*\\.)?(proxy|proxyauthmethod|sslbackend|sslverify|sslversion|schannel\\w+|version)$';
/** Those of them that are paths. */
const certificates = '^http\\.(.*\\.)?(proxysslcainfo|sslcainfo|sslcapath)$';

/**
 * The password comes on standard input, which the shell passes on as descriptor 3; the helper reads it there when Git asks.
 * So it is in no argument, no variable and no file.
 */
const withPassword = 'exec 3<&0 </dev/null; exec "$@"';
const passwordHelper = '!f() { test "$1" = get && cat <&3; }; f';

/**
 * Git in a folder. Every call of git is made by one of these presets.
 * @param preset what it is called for, which decides what of the user's settings it has.
 * @param more settings that win over the user's, as `git -c` takes them.
 */
export function gitIn(exec: Exec, folder: string, preset: keyof typeof presets, more: readonly string[] = []): Git {
  const attempt: Git['attempt'] = async (args, { login, ...options } = {}) => {
    const { as, env, settings } = presets[preset];
    const set = [...settings, ...more, ...(login ? [`credential.helper=${passwordHelper}`] : [])];
    const git = ['git', '-C', folder, ...set.flatMap((setting) => ['-c', setting]), ...args] as const;
    return exec(login ? ['sh', '-c', withPassword, 'sh', ...git] : git, {
      timeout: 60_000,
      ...options,
      ...(login && { input: `username=${login.username}\npassword=${login.password.reveal()}\n` }),
      as,
      nothrow: true,
      env: { ...env, ...(preset === 'anonymous' && (await connectionSettings(exec))), ...options.env },
    });
  };
  return {
    attempt,
    async read(args, options) {
      const output = await attempt(args, options);
      if (output.exitCode === 0) return output.stdout.replace(/\n$/, '');
      throw gitFailed(args[0], output);
    },
  };
}

/** As variables, because a proxy's address may hold a password. */
async function connectionSettings(exec: Exec): Promise<Record<string, string>> {
  const ask = (...how: string[]) => gitIn(exec, '/', 'reading').attempt(['config', '--null', ...how]);
  const found = await Promise.all([
    ask('--get-regexp', connection),
    // A `~` in them becomes the home that an anonymous git has not.
    ask('--type=path', '--get-regexp', certificates),
  ]);
  const entries = found
    .map(({ stdout }) => stdout)
    .join('')
    .split('\0')
    .filter((entry) => entry.includes('\n'));
  const variables = entries.flatMap((entry, index) => {
    const end = entry.indexOf('\n');
    return [
      [`GIT_CONFIG_KEY_${index}`, entry.slice(0, end)],
      [`GIT_CONFIG_VALUE_${index}`, entry.slice(end + 1)],
    ];
  });
  return { ...Object.fromEntries(variables), GIT_CONFIG_COUNT: String(entries.length) };
}

/** What the git on the PATH says of itself. */
export function gitVersion(exec: Exec): Promise<Output> {
  return exec(['git', '--version'], { as: 'probe', nothrow: true });
}

/** A path that git takes as it stands, whatever signs are in it. */
export function literalPath(path: string): string {
  return `:(literal)${path}`;
}

/** The paths that git prints, with a NUL behind each. Throws a `UserError`. */
export async function readPaths(git: Git, args: readonly string[]): Promise<string[]> {
  return (await git.read(args)).split('\0').filter((path) => path !== '');
}

/** The error for a command of git that did not do it. */
export function gitFailed(command: string | undefined, output: Output): UserError {
  return new UserError(`git ${command} failed: ${gitReason(output)}`, { hint: 'git status' });
}

/** Why git, or a hook that it ran, did not do it: what it said, the hints that it gives along with it left out. */
export function gitReason({ stderr, stdout, exitCode }: Output): string {
  const said = [stderr, stdout].map((text) => text.trim()).find((text) => text !== '') ?? `exit code ${exitCode}`;
  const lines = said.split('\n').filter((line) => !line.startsWith('hint: '));
  return withoutLogins(lines.slice(-8).join('\n').replace(/\.$/, ''));
}

/** A text with no user name, password or token in the addresses in it. */
export function withoutLogins(text: string): string {
  return text.replaceAll(/\b(https?:\/\/)[^\s/'"]*@/gi, '$1');
}
