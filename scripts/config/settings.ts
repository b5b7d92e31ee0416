import { UsageError } from '../lib/errors.ts';
import { nodeImage } from './versions.ts';

/** Turns the text of a setting into its value, or throws a sentence that says what it must look like. */
type Parse<T> = (text: string) => T;

interface Setting<T> {
  fallback: string;
  parse: Parse<T>;
}

const clusterNameRule = 'up to 48 lower-case letters, digits and dashes, as in kind-cluster-1';

/** Every setting there is; `.env.example` explains each, and a test holds the two together. */
export const settings = {
  CLUSTER_NAME: setting('kind-cluster-1', matching(/^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$/, clusterNameRule)),
  TARGET_CONTEXT: setting('', contextName),
  KIND_NODE_IMAGE: setting(
    nodeImage,
    matching(/^\S+:v?\d+\.\d+\.\d+\S*$/, 'an image with its version, as in kindest/node:v1.36.4'),
  ),
  HTTP_PORT: setting('8080', port),
  HTTPS_PORT: setting('8443', port),
  GITOPS_REPO_URL: setting('', repositoryUrl),
  GITOPS_REVISION: setting('main', matching(/^\S+$/, 'a branch, a tag or a commit')),
  // What copying leaves around a token is cut off where it is used, and said.
  GITHUB_TOKEN: setting('', (text) => text),
  GHCR_CREDENTIALS: setting('auto', oneOf('auto', 'none')),
  INGRESS_CONTROLLER: setting('nginx', oneOf('nginx', 'traefik')),
  GRAFANA_ANONYMOUS: setting('false', yesOrNo),
  ARGOCD_FULL: setting('false', yesOrNo),
  ENVIRONMENT: setting('dev', oneOf('dev', 'staging', 'prod')),
  KUBE_STATE_METRICS: setting('false', yesOrNo),
  NODE_EXPORTER: setting('false', yesOrNo),
  ALERTMANAGER: setting('false', yesOrNo),
  PROMETHEUS_STORAGE: setting('ephemeral', oneOf('ephemeral', 'claim')),
  IMAGE_CACHE_GB: setting('4', gigabytes),
  IGNORE_CHECKS: setting('', checkList),
} as const;

export type Environment = 'dev' | 'staging' | 'prod';

/** The parts of the monitoring that are installed only if their setting asks for them. */
export const monitoringParts = ['kube-state-metrics', 'node-exporter', 'alertmanager'] as const;
export type MonitoringPart = (typeof monitoringParts)[number];
/** The setting that asks for each. */
export const partSettings = {
  'kube-state-metrics': 'KUBE_STATE_METRICS',
  'node-exporter': 'NODE_EXPORTER',
  alertmanager: 'ALERTMANAGER',
} as const satisfies Record<MonitoringPart, SettingName>;

export type SettingName = keyof typeof settings;
export const settingNames = Object.keys(settings) as SettingName[];

/** The checked value of a setting; an empty text counts as not set. Throws a `UsageError` that names the setting. */
export function readSetting<N extends SettingName>(
  name: N,
  text: string | undefined,
): ReturnType<(typeof settings)[N]['parse']> {
  const { fallback, parse } = settings[name];
  try {
    return parse(text === undefined || text === '' ? fallback : text) as ReturnType<(typeof settings)[N]['parse']>;
  } catch (error) {
    throw new UsageError(`${name} must be ${(error as Error).message}.`, {
      id: 'setting-wrong',
      hint: `Correct ${name} in .env or in the environment; .env.example explains it.`,
    });
  }
}

function setting<T>(fallback: string, parse: Parse<T>): Setting<T> {
  return { fallback, parse };
}

function matching(pattern: RegExp, rule: string): Parse<string> {
  return (text) => {
    if (!pattern.test(text)) throw new Error(rule);
    return text;
  };
}

function oneOf<const T extends string>(...values: T[]): Parse<T> {
  return (text) => {
    const found = values.find((value) => value === text);
    if (found === undefined) throw new Error(values.join(', ').replace(/, (?=[^,]*$)/, ' or '));
    return found;
  };
}

function yesOrNo(text: string): boolean {
  if (/^(true|1|yes)$/i.test(text)) return true;
  if (/^(false|0|no)$/i.test(text)) return false;
  throw new Error('true or false');
}

function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 65535) throw new Error('a port from 1 to 65535');
  return value;
}

/** Names of preflight checks, with commas between them. */
function checkList(text: string): PreflightCheckName[] {
  const isName = (name: string): name is PreflightCheckName =>
    (preflightCheckNames as readonly string[]).includes(name);
  const names = text.split(',').flatMap((name) => name.trim() || []);
  const known = names.filter(isName);
  if (known.length < names.length) throw new Error(`a comma-separated list of ${preflightCheckNames.join(', ')}`);
  return known;
}

/** A size in bytes. */
function gigabytes(text: string): number {
  if (!/^\d{1,4}(\.\d{1,3})?$/.test(text)) throw new Error('a number of gigabytes, as in 4 or 0.5; 0 keeps nothing');
  return Number(text) * 1e9;
}

/** The name of a context, which may be nearly anything, as arn:aws:eks:eu-west-1:1:cluster/ours. */
function contextName(text: string): string | undefined {
  if (text === '') return undefined;
  if (!/^[^\s\p{Cc}-][^\s\p{Cc}]*$/u.test(text))
    throw new Error('the name of a context: kubectl config get-contexts -o name');
  return text;
}

/** Repositories that a token of GitHub may open. */
export const githubUrl = /^https:\/\/github\.com\//;

function repositoryUrl(text: string): string | undefined {
  if (text === '') return undefined;
  if (!/^(https:\/\/|ssh:\/\/|git@)\S+$/.test(text)) throw new Error('an https or ssh address of a Git repository');
  // A token in the address would end up in the cluster, in logs and in the user interface.
  if (/^https:\/\/[^/]*@|^ssh:\/\/[^/@]*:[^/]*@/.test(text))
    throw new Error('an address without a user name or token in it');
  return text;
}

/**
 * The names of the preflight checks, for `IGNORE_CHECKS` and `--ignore-checks`, in the order of their findings, which is
 * the one in which you fix things: without Docker nothing runs, and its settings often take one restart together;
 * then what belongs to this machine; the tools last, as they are the one thing that mends itself.
 */
export const preflightCheckNames = ['docker', 'memory', 'disk', 'cgroup', 'inotify', 'ports', 'git', 'tools'] as const;
export type PreflightCheckName = (typeof preflightCheckNames)[number];
