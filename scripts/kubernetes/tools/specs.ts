import { isAtLeast, parseVersion, tools } from '../../config/versions.ts';
import { UsageError } from '../../lib/errors.ts';

export type ToolName = keyof typeof tools;

/** Where the tools run, in the words of their download pages. */
export interface Machine {
  os: 'linux' | 'darwin';
  arch: 'amd64' | 'arm64';
}

/** What `versions.ts` pins of a tool, and how it is used. */
export interface ToolSpec {
  name: ToolName;
  /** The version that is fetched, with its `v`. */
  version: string;
  /** In words, for messages: `0.32 or newer`. */
  supported: string;
  /** Whether what a tool says of its version will do. */
  isSupported(version: string): boolean;
  /** Arguments that make the tool print its version, and where that stands in what it prints. */
  versionArgs: readonly string[];
  prints: RegExp;
  url: string;
  checksumUrl: string;
  /** Pinned checksums of the download, by `<os>-<arch>`. */
  sha256?: Readonly<Record<string, string>>;
  /** The tool's path inside the archive, where the download is one. */
  member?: string;
  brew: string;
  page: string;
}

/**
 * What is known about each tool. `kubernetesVersion` is the cluster's, for example `v1.36.4`.
 * Throws `UsageError` when that is no version.
 */
export function toolSpecs(kubernetesVersion: string): Record<ToolName, ToolSpec> {
  const cluster = parseVersion(kubernetesVersion);
  if (cluster === undefined) {
    throw new UsageError(
      `"${kubernetesVersion}" is no Kubernetes version.`,
      'Use a node image whose tag is one, for example kindest/node:v1.36.4.',
    );
  }
  const newEnough = <N extends Exclude<ToolName, 'kubectl'>>(name: N) => ({
    ...tools[name],
    name,
    brew: name,
    supported: `${tools[name].minimum} or newer`,
    isSupported: (version: string) => isAtLeast(version, tools[name].minimum),
  });
  return {
    kind: {
      ...newEnough('kind'),
      versionArgs: ['version'],
      prints: /^kind (\S+)/m,
      page: 'https://kind.sigs.k8s.io/docs/user/quick-start/#installation',
    },
    kubectl: {
      ...tools.kubectl,
      name: 'kubectl',
      version: `v${numberOf(kubernetesVersion)}`,
      supported: `${cluster.major}.${cluster.minor} (or one minor version beside it)`,
      // https://kubernetes.io/releases/version-skew-policy/#kubectl
      isSupported(version) {
        const found = parseVersion(version);
        return found?.major === cluster.major && Math.abs(found.minor - cluster.minor) <= 1;
      },
      versionArgs: ['version', '--client', '--output', 'json'],
      prints: /"gitVersion":\s*"([^"]+)"/,
      brew: 'kubernetes-cli',
      page: 'https://kubernetes.io/docs/tasks/tools/',
    },
    helm: {
      ...newEnough('helm'),
      versionArgs: ['version', '--template', '{{.Version}}'],
      prints: /(v\d\S*)/,
      member: '{os}-{arch}/helm',
      page: 'https://helm.sh/docs/intro/install/',
    },
    'kube-score': {
      ...newEnough('kube-score'),
      versionArgs: ['version'],
      prints: /version: v?(\d[^\s,]*)/,
      page: 'https://github.com/zegl/kube-score#installation',
    },
    promtool: {
      ...newEnough('promtool'),
      versionArgs: ['--version'],
      prints: /^promtool, version (\d[^\s,]*)/m,
      member: 'prometheus-{number}.{os}-{arch}/promtool',
      brew: 'prometheus',
      page: 'https://prometheus.io/download/',
    },
  };
}

/** The machine, or nothing where the projects publish no files for it. */
export function machineOf(platform: NodeJS.Platform, arch: string): Machine | undefined {
  const name = { x64: 'amd64', arm64: 'arm64' }[arch] as Machine['arch'] | undefined;
  if (name === undefined || (platform !== 'linux' && platform !== 'darwin')) return undefined;
  return { os: platform, arch: name };
}

/** Fills `{version}`, `{number}`, `{os}` and `{arch}` of an address or a path. */
export function fillTemplate(template: string, { version }: ToolSpec, { os, arch }: Machine): string {
  const values: Record<string, string> = { version, number: numberOf(version), os, arch };
  return template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}

function numberOf(version: string): string {
  return version.replace(/^v/, '');
}
