import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { UsageError } from '../lib/errors.ts';
import { readFileOrPipe } from '../lib/files.ts';
import { readNetwork } from '../lib/http/proxy.ts';
import { Secret } from '../lib/secret.ts';
import type { Parsed } from '../lib/terminal/args.ts';
import { childEnvironments } from './child-environment.ts';
import { parseDotenv } from './dotenv.ts';
import {
  type MonitoringPart,
  monitoringParts,
  type PreflightCheckName,
  partSettings,
  readSetting,
  type SettingName,
} from './settings.ts';

/** Everything that you can choose, checked, and where things are kept. */
export type Config = ReturnType<typeof loadConfig>;

/** Reads `.env` and the environment, which wins. Throws a `UsageError` for the first setting that makes no sense. */
export function loadConfig(root: string, environment: NodeJS.ProcessEnv = wholeEnvironment()) {
  const fromFile = parseDotenv(readFileOrPipe(join(root, '.env')) ?? '');
  // An empty variable counts as not set, so that it does not hide the file's.
  const setting = <N extends SettingName>(name: N) => readSetting(name, environment[name] || fromFile[name]);
  const secret = (text: string | undefined) => (text ? new Secret(text) : undefined);
  const target = setting('TARGET_CONTEXT');
  const clusterName = target ?? setting('CLUSTER_NAME');
  const chosenUrl = setting('GITOPS_REPO_URL');
  const repoUrl = chosenUrl ?? (target === undefined ? undefined : registeredUrl(root));
  const ports = { http: setting('HTTP_PORT'), https: setting('HTTPS_PORT') };
  if (ports.http === ports.https)
    throw new UsageError('HTTP_PORT and HTTPS_PORT must differ.', {
      id: 'setting-wrong',
      hint: 'Correct them in .env or in the environment.',
    });
  if (target !== undefined && repoUrl === undefined) throw noRepository(target);
  // No name of a cluster of kind has a dot in it, so none shares the folder of a context.
  const stateDir = join(root, '.state', target === undefined ? clusterName : folderOfTarget(target));
  return {
    /** Top folder of the repository's files. */
    root,
    /** What the cluster is called here: CLUSTER_NAME, or the context of `target`. */
    clusterName,
    /** The context of your own kubeconfigs whose cluster is used in place of one of kind, if any. */
    target,
    nodeImage: setting('KIND_NODE_IMAGE'),
    ports,
    /** Where Argo CD reads from instead of this checkout, if anywhere. */
    gitops: repoUrl === undefined ? undefined : { repoUrl, revision: setting('GITOPS_REVISION') },
    /** Whether nobody chose that: it is the address of `argocd/`, which holds for a cluster of TARGET_CONTEXT that follows it. */
    isRepositoryAssumed: chosenUrl === undefined,
    /** Tokens for the images, as settings and environment have them, unchecked, and where Docker keeps its own. */
    tokens: {
      use: setting('GHCR_CREDENTIALS'),
      // GH_TOKEN is what gh calls it, and what GitHub's own machines set.
      inEnvironment: secret(environment.GITHUB_TOKEN || environment.GH_TOKEN),
      inFile: secret(fromFile.GITHUB_TOKEN),
      dockerFolder: environment.DOCKER_CONFIG || join(environment.HOME || '/', '.docker'),
    },
    /** Which ingress controller routes the requests. */
    ingressController: setting('INGRESS_CONTROLLER'),
    /** Whether whoever reaches Grafana may look at it without a password. */
    grafanaAnonymous: setting('GRAFANA_ANONYMOUS'),
    argocdFull: setting('ARGOCD_FULL'),
    /** Which values the charts are rendered with: values-dev.yaml, values-staging.yaml or values-prod.yaml. */
    environment: setting('ENVIRONMENT'),
    /** The optional parts of the monitoring that are wanted. */
    parts: monitoringParts.filter((part) => setting(partSettings[part])) as readonly MonitoringPart[],
    /** Whether the data of Prometheus are gone with its pod, or lie on a volume that a claim asks for. */
    prometheusStorage: setting('PROMETHEUS_STORAGE'),
    /** Bytes that the images kept for the next cluster may take; 0 keeps none. */
    imageCacheLimit: setting('IMAGE_CACHE_GB'),
    /** The preflight checks whose problems are only warnings. */
    ignoredChecks: setting('IGNORE_CHECKS') as readonly PreflightCheckName[],
    /** Downloads and tools, shared by all checkouts of this user. */
    cacheDir: join(userFolder(environment, 'XDG_CACHE_HOME', ['.cache'], ['Caches']), 'platform-ops'),
    /** What has to stay, shared as well: the certificate authority. */
    dataDir: join(
      userFolder(environment, 'XDG_DATA_HOME', ['.local', 'share'], ['Application Support']),
      'platform-ops',
    ),
    /** What belongs to this cluster alone: its private kubeconfig. */
    stateDir,
    /**
     * Your own kubeconfigs, in the order in which kubectl reads them. Only `npm run kubeconfig` looks at them, on request, and
     * what needs the login of `target`.
     */
    userKubeconfigs: userKubeconfigs(environment) as readonly string[],
    /** The files by which a step of GitHub Actions tells the workflow its results, and a person what it did. */
    actions: {
      output: environment.GITHUB_OUTPUT || undefined,
      summary: environment.GITHUB_STEP_SUMMARY || undefined,
    },
    /** How servers elsewhere are reached: HTTPS_PROXY and its like. */
    network: readNetwork(environment),
    /** The PATH to look for tools on. */
    path: environment.PATH ?? '',
    /** What children get to see, by what they are. */
    childEnv: childEnvironments(environment, stateDir),
  };
}

/**
 * Adds the checks of `--ignore-checks` to those of the setting.
 *
 * @param names what was typed, checked already; nothing where the flag is missing.
 * @returns the configuration that a command works with.
 */
export function withIgnoredChecks(config: Config, names: unknown): Config {
  if (typeof names !== 'string') return config;
  return { ...config, ignoredChecks: [...new Set([...config.ignoredChecks, ...readSetting('IGNORE_CHECKS', names)])] };
}

/** The variables with the tokens, which platform.mjs keeps from the processes that esbuild and tsx start. */
function wholeEnvironment(): NodeJS.ProcessEnv {
  const taken = Reflect.get(globalThis, Symbol.for('platform-ops.tokens')) as NodeJS.ProcessEnv | undefined;
  return { ...process.env, ...taken };
}

/** The one address that the manifests of `argocd/` name, or undefined. */
function registeredUrl(root: string): string | undefined {
  const folder = join(root, 'argocd');
  if (!existsSync(folder)) return undefined;
  const texts = readdirSync(folder).map((name) =>
    /\.ya?ml$/.test(name) ? (readFileOrPipe(join(folder, name)) ?? '') : '',
  );
  const found = texts.flatMap((text) => [...text.matchAll(/^\s*(?:- )?repoURL: *(\S+) *$/gm)].map(([, url]) => url));
  const [url, ...others] = new Set(found);
  return others.length > 0 ? undefined : url;
}

/** The error for a cluster elsewhere of which it is not known what it is to follow. */
export function noRepository(target: string): UsageError {
  return new UsageError(
    `TARGET_CONTEXT=${target} needs GITOPS_REPO_URL: that cluster can't read the Git folder of this machine.`,
    {
      id: 'target-no-repository',
      hint: 'Set GITOPS_REPO_URL in .env to the address of a repository that the cluster reaches, and push to it.',
    },
  );
}

/** A name for the folder of a context. What is made beside it adds some 40 of the 255 bytes that a name may have. */
function folderOfTarget(target: string): string {
  const name = `target.${encodeURIComponent(target)}`;
  if (name.length <= 200) return name;
  return `${name.slice(0, 150)}.${createHash('sha256').update(target).digest('hex').slice(0, 16)}`;
}

/** One of the user's folders (XDG Base Directory Specification; on macOS those below Library), given as path below home. */
function userFolder(
  environment: NodeJS.ProcessEnv,
  variable: 'XDG_CACHE_HOME' | 'XDG_DATA_HOME',
  usual: readonly string[],
  onMac: readonly string[],
): string {
  const named = environment[variable];
  if (named) return resolve(named);
  const home = resolve(environment.HOME || homeOfAccount());
  return process.platform === 'darwin' ? join(home, 'Library', ...onMac) : join(home, ...usual);
}

function userKubeconfigs(environment: NodeJS.ProcessEnv): string[] {
  const named = (environment.KUBECONFIG ?? '').split(delimiter).filter(Boolean);
  return named.length > 0 ? named.map((file) => resolve(file)) : [join(environment.HOME || '/', '.kube', 'config')];
}

function homeOfAccount(): string {
  try {
    return userInfo().homedir;
  } catch {
    throw new UsageError('This account has no home folder to keep downloads and certificates in.', {
      id: 'no-home',
      hint: 'Set HOME, or XDG_CACHE_HOME and XDG_DATA_HOME, to a folder that can be written to.',
    });
  }
}

/** Where this user's certificate authority lies. */
export function authorityFolder({ dataDir }: Config): string {
  return join(dataDir, 'ca');
}

/** What a command is given. It returns the exit code, and throws what went wrong. */
export interface Invocation {
  config: Config;
  flags: Parsed['flags'];
  word: string | undefined;
  /** As many as the command's usage names. */
  operands?: Parsed['operands'];
  /** Fires on Ctrl-C and its like. */
  signal: AbortSignal;
  /** Data, to standard output. */
  print(text: string): void;
  /** Progress, to standard error. */
  progressStream: NodeJS.WriteStream;
}
