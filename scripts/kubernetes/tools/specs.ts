import * as versions from '../../config/versions.ts';
import { compareVersions, parseVersion, type Version } from '../../config/versions.ts';
import { UsageError } from '../../lib/errors.ts';

export type ToolName = keyof typeof versions.tools;

/** Where the tools run, in the words of their download pages. */
export interface Machine {
  os: 'linux' | 'darwin';
  arch: 'amd64' | 'arm64';
}

export interface ToolSpec {
  name: ToolName;
  /** The version that is fetched, with its `v`. */
  version: string;
  /** In words, for messages: `0.32 or newer`. */
  supported: string;
  isSupported: (version: Version) => boolean;
  /** Arguments that make the tool print its version. */
  versionArgs: readonly string[];
  readVersion: (stdout: string) => string | undefined;
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
  const { kind, kubectl, helm, 'kube-score': kubeScore, promtool } = versions.tools;
  return {
    kind: {
      ...kind,
      name: 'kind',
      supported: `${kind.minimum} or newer`,
      isSupported: atLeast(kind.minimum),
      versionArgs: ['version'],
      readVersion: (stdout) => /^kind (\S+)/m.exec(stdout)?.[1],
      brew: 'kind',
      page: 'https://kind.sigs.k8s.io/docs/user/quick-start/#installation',
    },
    kubectl: {
      ...kubectl,
      name: 'kubectl',
      version: `v${kubernetesVersion.replace(/^v/, '')}`,
      supported: `${cluster.major}.${cluster.minor} (or one minor version beside it)`,
      // https://kubernetes.io/releases/version-skew-policy/#kubectl
      isSupported: ({ major, minor }) => major === cluster.major && Math.abs(minor - cluster.minor) <= 1,
      versionArgs: ['version', '--client', '--output', 'json'],
      readVersion: (stdout) => /"gitVersion":\s*"([^"]+)"/.exec(stdout)?.[1],
      brew: 'kubernetes-cli',
      page: 'https://kubernetes.io/docs/tasks/tools/',
    },
    helm: {
      ...helm,
      name: 'helm',
      supported: `${helm.minimum} or newer`,
      isSupported: atLeast(helm.minimum),
      versionArgs: ['version', '--template', '{{.Version}}'],
      readVersion: (stdout) => /v\d\S*/.exec(stdout)?.[0],
      member: '{os}-{arch}/helm',
      brew: 'helm',
      page: 'https://helm.sh/docs/intro/install/',
    },
    'kube-score': {
      ...kubeScore,
      name: 'kube-score',
      supported: `${kubeScore.minimum} or newer`,
      isSupported: atLeast(kubeScore.minimum),
      versionArgs: ['version'],
      readVersion: (stdout) => /version: v?(\d[^\s,]*)/.exec(stdout)?.[1],
      brew: 'kube-score',
      page: 'https://github.com/zegl/kube-score#installation',
    },
    promtool: {
      ...promtool,
      name: 'promtool',
      supported: `${promtool.minimum} or newer`,
      isSupported: atLeast(promtool.minimum),
      versionArgs: ['--version'],
      readVersion: (stdout) => /^promtool, version (\d[^\s,]*)/m.exec(stdout)?.[1],
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
export function fillTemplate(template: string, spec: ToolSpec, { os, arch }: Machine): string {
  const values: Record<string, string> = { version: spec.version, number: numberOf(spec.version), os, arch };
  return template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}

function numberOf(version: string): string {
  return version.replace(/^v/, '');
}

function atLeast(minimum: string): (version: Version) => boolean {
  const floor = parseVersion(minimum) as Version;
  return (version) => compareVersions(version, floor) >= 0;
}
