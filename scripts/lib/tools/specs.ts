import * as versions from '../../versions.ts';
import { UsageError } from '../errors.ts';
import { compareVersions, parseVersion, type Version } from '../semver.ts';

export type ToolName = 'kind' | 'kubectl' | 'helm';

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
  /** The tool's path inside the archive, where the download is one. */
  member?: string;
  /** Arguments of `go install`, where the module can be built like that. */
  goInstall?: readonly string[];
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
  const { kind, kubectl, helm } = versions.tools;
  return {
    kind: {
      ...kind,
      name: 'kind',
      supported: `${kind.minimum} or newer`,
      isSupported: atLeast(kind.minimum),
      versionArgs: ['version'],
      readVersion: (stdout) => /^kind (\S+)/m.exec(stdout)?.[1],
      goInstall: [`sigs.k8s.io/kind@${kind.version}`],
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
      // Built from its module, helm knows only its minor version, unless the linker is told.
      goInstall: [
        '-ldflags',
        `-X helm.sh/helm/v4/internal/version.version=${helm.version}`,
        `helm.sh/helm/v4/cmd/helm@${helm.version}`,
      ],
      brew: 'helm',
      page: 'https://helm.sh/docs/intro/install/',
    },
  };
}

/** The machine, or nothing where the projects publish no files for it. */
export function machineOf(platform: NodeJS.Platform, arch: string): Machine | undefined {
  const name = { x64: 'amd64', arm64: 'arm64' }[arch] as Machine['arch'] | undefined;
  if (name === undefined || (platform !== 'linux' && platform !== 'darwin')) return undefined;
  return { os: platform, arch: name };
}

/** Fills `{version}`, `{os}` and `{arch}` of an address or a path. */
export function fill(template: string, spec: ToolSpec, { os, arch }: Machine): string {
  return template.replaceAll('{version}', spec.version).replaceAll('{os}', os).replaceAll('{arch}', arch);
}

function atLeast(minimum: string): (version: Version) => boolean {
  const floor = parseVersion(minimum) as Version;
  return (version) => compareVersions(version, floor) >= 0;
}
