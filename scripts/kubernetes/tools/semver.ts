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
