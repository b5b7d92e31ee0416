import { join } from 'node:path';
import { kubernetesVersion, nodeImage } from '../../config/versions.ts';
import { pathFromHere } from '../../lib/files.ts';
import { readYaml } from '../yaml.ts';
import type { Finding, Located, Tools } from './finding.ts';
import { readManifest } from './manifests.ts';

export interface Chart {
  /** Of the folder, the chart, its release and its objects alike. */
  name: string;
  /** `helm/api-node`. */
  folder: string;
  /** `values-dev.yaml` and its like, without the folder. */
  overlays: readonly string[];
  /** The namespace that its Application deploys it into. */
  namespace: string;
}

/** What helm makes of a chart with one choice of values. */
export interface Rendering {
  chart: Chart;
  /** The values file on top: `values.yaml` alone, or an overlay. */
  values: string;
  objects: Located[];
  /** What is wrong with the YAML that was rendered. */
  faults: Finding[];
  /** The whole output, as it can be given to other tools. */
  yaml: string;
  /** What helm says when it refuses. */
  refusal?: string;
}

/** Options of `helm template` and `helm lint` alike. values.yaml is part of every rendering. */
export function helmOptions(root: string, chart: Chart, overlay: string | undefined): string[] {
  const values = overlay === undefined ? [] : ['--values', pathFromHere(join(root, chart.folder, overlay))];
  // The cluster's version. Each helm brings another one by default.
  return ['--kube-version', kubernetesVersion(nodeImage), ...values];
}

/** Renders a chart as Argo CD does; `options` are further ones of `helm template`. Throws `UsageError` where there is no helm. */
export async function render(
  root: string,
  chart: Chart,
  overlay: string | undefined,
  tools: Tools,
  options: readonly string[] = [],
): Promise<Rendering> {
  const helm = await tools.find('helm');
  const values = overlay ?? 'values.yaml';
  const chosen = [...helmOptions(root, chart, overlay), ...options];
  const { stdout, stderr, exitCode } = await tools.exec(
    [
      helm.path,
      'template',
      chart.name,
      pathFromHere(join(root, chart.folder)),
      '--namespace',
      chart.namespace,
      ...chosen,
    ],
    { nothrow: true, timeout: 60_000 },
  );
  if (exitCode !== 0) return { chart, values, objects: [], faults: [], yaml: '', refusal: reasonIn(stderr) };
  return { chart, values, yaml: stdout, ...locate(stdout, chart, values) };
}

/** The objects of helm's output. A comment before each says the template: `# Source: api-node/templates/hpa.yaml`. */
function locate(output: string, chart: Chart, values: string): { objects: Located[]; faults: Finding[] } {
  const parts = output.split(/^---\n/m).filter((part) => part.trim() !== '');
  const read = parts.map((part) => {
    const source = /^# Source: [^/\n]+\/(.*)$/m.exec(part)?.[1] ?? 'Chart.yaml';
    return readManifest(part, `${chart.folder}/${source}`, { chart: chart.name, namespace: chart.namespace, values });
  });
  return { objects: read.flatMap(({ objects }) => objects), faults: read.flatMap(({ faults }) => faults) };
}

/** Why helm refused, from its standard error. helm 4 also logs there, for a file that it read through a link. */
export function reasonIn(stderr: string): string {
  return stderr.replaceAll(/^level=.*\n/gm, '').trim();
}

/**
 * Renders a chart with all that is off in values.yaml switched on: otherwise nobody would look at those templates before
 * the day on which somebody needs them.
 */
export async function renderAllOn(root: string, chart: Chart, valuesText: string, tools: Tools): Promise<Rendering> {
  const values = (readYaml(valuesText)[0]?.value ?? {}) as Record<string, { enabled?: boolean } | null>;
  const off = Object.keys(values).filter((name) => values[name]?.enabled === false);
  const options = off.flatMap((name) => ['--set', `${name}.enabled=true`, ...(needed[name] ?? [])]);
  const rendering = await render(root, chart, undefined, tools, options);
  const label = `values.yaml and ${off.join(', ')} switched on`;
  const objects = rendering.objects.map((located) => ({
    ...located,
    rendering: { chart: chart.name, namespace: chart.namespace, values: label },
  }));
  return { ...rendering, values: label, objects };
}

/** What has to be given to something that is switched on. */
const needed: Record<string, string[]> = {
  sealedSecret: ['--set-string', 'sealedSecret.encryptedData.EXAMPLE=AgBexample'],
};
