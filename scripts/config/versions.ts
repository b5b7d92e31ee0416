/**
 * Every version, address and checksum that the scripts pin. A release is bumped here and, where a manifest names
 * the image, in that manifest: `test/manifests/versions.test.ts` holds the two together.
 */

/** One of the node images that kind's release v0.33.0 publishes, with the digest from its release notes. */
export const nodeImage = 'kindest/node:v1.36.4@sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed';

export const argocd = {
  version: 'v3.5.7',
  installUrl: 'https://raw.githubusercontent.com/argoproj/argo-cd/v3.5.7/manifests/install.yaml',
  installSha256: '09bfbb9041b4a8503c6e4fa22cf41c403fa62be17526de353648a4551f5beb77',
} as const;

/** What the stub services are built on. */
export const stubBaseImage = 'docker.io/library/node:22-alpine';

/** The Docker engine that kind v0.33.0 works with; older ones are not tested by it. */
export const docker = { minimum: '20.10.0' } as const;

/** The version of Kubernetes that a node image brings: its tag. Throws where the name has none. */
export function kubernetesVersion(image: string): string {
  const [version] = image.match(/(?<=:)v?\d+\.\d+\.\d+/) ?? [];
  if (version === undefined) throw new Error(`${image} names no version of Kubernetes`);
  return version.startsWith('v') ? version : `v${version}`;
}

/**
 * The command-line tools that are fetched when the PATH holds none in a supported version. In the addresses, `{os}` is
 * `linux` or `darwin`, `{arch}` is `amd64` or `arm64`, `{version}` starts with a `v`, and `{number}` is the same without it.
 * kubectl has no version of its own: it follows the node image's Kubernetes. A download that has no `sha256` here is compared with the
 * checksum file of its release. Add only one that was computed from the file, or read at its publisher or in a collection that pins
 * it, and name the source.
 */
export const tools = {
  kind: {
    version: 'v0.33.0',
    // It must know the node image's format: `kind load` into images of Kubernetes 1.36 needs 0.32, which also
    // brought the kubeadm format that 1.36 asks for (release notes of v0.32.0).
    minimum: '0.32.0',
    url: 'https://github.com/kubernetes-sigs/kind/releases/download/{version}/kind-{os}-{arch}',
    checksumUrl: 'https://github.com/kubernetes-sigs/kind/releases/download/{version}/kind-{os}-{arch}.sha256sum',
    // github.com/cert-manager/makefile-modules, modules/tools/00_mod.mk. Not of linux-amd64, because the hub of CI serves a build of its
    // own there.
    sha256: {
      'linux-arm64': '20022bee6cfcd5086cb7234d218e3454e6090022f2a8f55d1fa7fcf42c3867a2',
      'darwin-amd64': '5a99f26f57246dc9319dd294803313197a0f34d33c525b3ea8b655db5916ece0',
      'darwin-arm64': '0c8c7dbe5e23594a198b786c4bc13dacc101fa6196b0cb0b23a1ca44e61f4b4f',
    },
  },
  kubectl: {
    url: 'https://dl.k8s.io/release/{version}/bin/{os}/{arch}/kubectl',
    checksumUrl: 'https://dl.k8s.io/release/{version}/bin/{os}/{arch}/kubectl.sha256',
  },
  helm: {
    version: 'v4.3.1',
    // The last Helm 3 of before 2024 is long unsupported; for what the scripts call, 3.14 and 4 are alike.
    minimum: '3.14.0',
    url: 'https://get.helm.sh/helm-{version}-{os}-{arch}.tar.gz',
    checksumUrl: 'https://get.helm.sh/helm-{version}-{os}-{arch}.tar.gz.sha256sum',
  },
  'kube-score': {
    version: 'v1.20.0',
    // Another version has other tests, of which `npm run validate` would report what nobody has looked at yet.
    minimum: '1.20.0',
    url: 'https://github.com/zegl/kube-score/releases/download/{version}/kube-score_{number}_{os}_{arch}',
    checksumUrl: 'https://github.com/zegl/kube-score/releases/download/{version}/checksums.txt',
  },
  promtool: {
    // The version of Prometheus that observability/ runs: promtool is part of its archive.
    version: 'v3.13.5',
    minimum: '3.0.0',
    url: 'https://github.com/prometheus/prometheus/releases/download/{version}/prometheus-{number}.{os}-{arch}.tar.gz',
    checksumUrl: 'https://github.com/prometheus/prometheus/releases/download/{version}/sha256sums.txt',
  },
} as const;

/** git's first release with `git init --initial-branch`; every system in support has a newer one. */
export const git = { minimum: '2.31.0' } as const;

export interface Version {
  major: number;
  minor: number;
  patch: number;
}

/**
 * Reads the first version in a text: `v1.36.4`, `kind v0.33.0 go1.26 linux/amd64`, `20.10.24+dfsg1`, `git version 2.39`.
 * What follows the numbers is left out: on a tool's version it names who built it (`-dispatcher`, `-gke.100`, `+dfsg1`)
 * far more often than a pre-release.
 */
export function parseVersion(text: string): Version | undefined {
  const [, major, minor, patch = '0'] = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  if (major === undefined || minor === undefined) return undefined;
  return { major: Number(major), minor: Number(minor), patch: Number(patch) };
}

/** Below 0 when `a` is older than `b`, 0 when they are the same, above 0 when `a` is newer. */
export function compareVersions(a: Version, b: Version): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch;
}

/** True when the version that a text holds is `minimum` or newer; false when it holds none. */
export function isAtLeast(text: string, minimum: string): boolean {
  const found = parseVersion(text);
  const floor = parseVersion(minimum);
  return found !== undefined && floor !== undefined && compareVersions(found, floor) >= 0;
}
