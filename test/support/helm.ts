import { execFile, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Every chart but the library: a service that is added is tested as the others are. */
export const services: readonly string[] = readdirSync(join(root, 'helm'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'common')
  .map(({ name }) => name)
  .sort();
export const environments = ['dev', 'staging', 'prod'] as const;
export type Environment = (typeof environments)[number];

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
}

/** Options of a test that renders. A machine without helm skips it and still runs the rest. */
export const needsHelm = {
  concurrency: true,
  skip: spawnSync('helm', ['version']).status === 0 ? false : 'helm is not on the PATH',
};

/** The oldest Kubernetes that the charts allow. */
export const oldestKubernetes = '1.28.0';

interface Rendering {
  /** The folder that holds the charts; a copy of `helm/` where a test edits files. */
  readonly charts?: string;
  readonly environment?: Environment;
  /** Of the cluster, whatever version this helm would take by default. */
  readonly kubeVersion?: string;
  readonly options?: readonly string[];
}

const run = promisify(execFile);

function command(service: string, rendering: Rendering): string[] {
  const { charts = join(root, 'helm'), environment, kubeVersion = '1.31.0', options = [] } = rendering;
  const chart = join(charts, service);
  const overlay = environment ? ['--values', join(chart, `values-${environment}.yaml`)] : [];
  return ['template', service, chart, '--kube-version', kubeVersion, ...overlay, ...options];
}

/** The manifests that helm renders, or what it says when it refuses to. */
export async function attempt(
  service: string,
  rendering: Rendering = {},
): Promise<{ manifests: Manifest[]; refusal?: never } | { manifests?: never; refusal: string }> {
  try {
    const { stdout, stderr } = await run('helm', command(service, rendering));
    // That it read through a link it says itself each time; anything else would be a warning about the charts.
    const warnings = stderr.split('\n').filter((line) => line !== '' && !line.includes('found symbolic link'));
    if (warnings.length > 0) throw new Error(`helm warns about ${service}: ${warnings.join('\n')}`);
    const objects = parseAllDocuments(stdout).map((document) => document.toJS() as Manifest | null);
    return { manifests: objects.filter((each) => each !== null) };
  } catch (error) {
    if (error instanceof Error && 'stderr' in error && 'code' in error && error.code === 1) {
      return { refusal: String(error.stderr) };
    }
    throw error;
  }
}

export async function render(service: string, rendering: Rendering = {}): Promise<Manifest[]> {
  const { manifests, refusal } = await attempt(service, rendering);
  if (manifests === undefined) throw new Error(`helm refuses to render ${service}: ${refusal}`);
  return manifests;
}

export function find(manifests: readonly Manifest[], kind: string): Manifest | undefined {
  return manifests.find((manifest) => manifest.kind === kind);
}

/** The value at a path inside a parsed document, or undefined where the path ends early. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
}
