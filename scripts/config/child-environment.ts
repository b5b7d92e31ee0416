import { devNull } from 'node:os';
import type { Environments } from '../lib/exec.ts';
import { processStartTime } from '../lib/processes.ts';

/** By these `down` knows what we started: the folder of the cluster's state, and the command that started it. */
export const startedForVariable = 'PLATFORM_OPS_STARTED_FOR';
/** Number, name and start time of its process, separated by blanks. */
export const startedByVariable = 'PLATFORM_OPS_STARTED_BY';

/**
 * Hidden from every child: what npm adds for its scripts, what a shell in between would obey, and variables that lead git to another
 * repository, index or pathspec than it is told, or mix its trace into its messages.
 */
const foreign =
  /^(npm_.*|SHELLOPTS|BASHOPTS|GIT_(DIR|WORK_TREE|COMMON_DIR|NAMESPACE|PREFIX|INDEX_\w+|OBJECT_\w+|ALTERNATE_\w+|GRAFT_FILE|SHALLOW_FILE|QUARANTINE_PATH|\w*PATHSPECS|TRACE\w*))$/;

/** Hidden from tools as well: preferences that change what they do or how they say it, beside tokens. */
const preferences = [
  /^(KUBECONFIG|KUBERC|KUBECTL_\w+|KIND_EXPERIMENTAL_PROVIDER|HELM_\w+|PS_\w+|TAR_OPTIONS|BASH_ENV|ENV|CDPATH|BASH_FUNC_.*)$/,
  // Docker itself, with its own choice of platform and builder: what it pulls and builds is to run there, and is pinned.
  /^(DOCKER_(DEFAULT_PLATFORM|CONTENT_TRUST\w*|BUILDKIT)|BUILDX_BUILDER)$/,
  // Where git's configuration is, how it reaches servers, and that a repository may span file systems, stays.
  /^GIT_(?!CONFIG_|EXEC_PATH|SSL_|HTTP_|PROXY_|DISCOVERY_)/,
];
const token = /^(GH|GITHUB|GITLAB|NPM|NODE|HOMEBREW)_(\w+_)?TOKEN$/;

/** What a program may need to start at all, for example where a version manager's shim looks for it. */
const needed =
  /^(PATH|HOME|USER|LOGNAME|TMPDIR|TZ|LANG|LANGUAGE|LC_\w+|XDG_\w+|LD_LIBRARY_PATH|DYLD_\w+|NIX_\w+|(ASDF|MISE|RTX|AQUA|PROTO)_\w+)$/;
const secret = /TOKEN|SECRET|PASS|KEY|AUTH|CREDENTIAL/i;

/** Set for those two: no preferences of kubectl (https://kubernetes.io/docs/reference/kubectl/kuberc/), no plugin or login of helm. */
const given = { KUBERC: 'off', HELM_PLUGINS: devNull, HELM_REGISTRY_CONFIG: devNull };

/**
 * The environment of each kind of child.
 * @param environment the one of this process, tokens included.
 * @param stateDir the folder of the cluster's state, by which `down` knows its processes.
 */
export function childEnvironments(environment: NodeJS.ProcessEnv, stateDir: string): Environments {
  const user = pick(environment, (name) => !foreign.test(name));
  const tool = {
    ...pick(withoutTokens(user), (name) => !preferences.some((pattern) => pattern.test(name))),
    ...given,
    [startedForVariable]: stateDir,
    [startedByVariable]: `${process.pid} ${/^[\w-]+$/.exec(process.argv[2] ?? '')?.[0] ?? ''} ${ownStartTime()}`,
  };
  const probe = {
    ...pick(environment, (name) => needed.test(name) && !secret.test(name)),
    ...given,
    KUBECONFIG: devNull,
  };
  // Tokens may be in them, and the password of a proxy, which must not show where a configuration is printed.
  const hidden = { tool: { get: () => tool, enumerable: false }, user: { get: () => user, enumerable: false } };
  return Object.defineProperties({ probe, tool, user }, hidden);
}

/** None on macOS, where it would take a process of its own to ask. */
function ownStartTime(): string {
  return process.platform === 'linux' ? (processStartTime(process.pid) ?? '') : '';
}

/** What a program of the user's gets that needs no token, as a browser. */
export function withoutTokens(environment: Readonly<Record<string, string>>): Record<string, string> {
  return pick(environment, (name) => !token.test(name));
}

function pick(
  environment: Readonly<Record<string, string | undefined>>,
  wanted: (name: string) => boolean,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && wanted(entry[0]),
    ),
  );
}
