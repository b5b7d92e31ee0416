import { parse } from 'yaml';
import { mapIn, mapsIn, textsIn } from '../../repository/yaml.ts';
import { regexOf, sourceOf } from '../validate/prometheus/discovery.ts';
import type { RelabelConfig } from '../validate/prometheus/files.ts';
import type { DroppedTarget } from './prometheus-api.ts';

/** What is read of a job of the configuration that Prometheus runs with. */
export interface LiveJob {
  name: string;
  metricsPath: string;
  discovery: { role: string; namespaces: string[] }[];
  rules: RelabelConfig[];
}

/** The jobs of a configuration. */
export function jobsIn(config: string): LiveJob[] {
  const { scrape_configs: jobs } = mapIn<{ scrape_configs: unknown }>(parse(config));
  return mapsIn<{ [field: string]: unknown }>(jobs).map((job) => ({
    name: String(job.job_name),
    metricsPath: String(job.metrics_path ?? '/metrics'),
    discovery: mapsIn<{ role: string; namespaces: object }>(job.kubernetes_sd_configs).map(({ role, namespaces }) => ({
      role: String(role),
      namespaces: textsIn(mapIn<{ names: unknown }>(namespaces).names),
    })),
    rules: mapsIn<RelabelConfig>(job.relabel_configs).map((rule) => ({
      ...rule,
      source_labels: textsIn(rule.source_labels),
    })),
  }));
}

/** The rule by which a job leaves a target out. */
export interface DropReason {
  job: string;
  rule: RelabelConfig;
  /** What the target has where the rule looks. */
  value: string;
  /** How many rules let it pass before. */
  passed: number;
}

/** Why a target is left out, as far as its labels tell; undefined where no rule explains it. */
export function explainDroppedTarget(
  { discoveredLabels, scrapePool }: DroppedTarget,
  jobs: readonly LiveJob[],
): DropReason | undefined {
  const job = jobs.find(({ name }) => name === scrapePool);
  const index = (job?.rules ?? []).findIndex((rule) => {
    if (rule.action !== 'keep' && rule.action !== 'drop') return false;
    const matches = regexOf(rule)?.test(sourceOf(discoveredLabels, rule)) ?? true;
    return matches === (rule.action === 'drop');
  });
  const rule = job?.rules[index];
  if (job === undefined || rule === undefined) return undefined;
  return { job: job.name, rule, value: sourceOf(discoveredLabels, rule), passed: index };
}

/** What a rule looks at, in the words of Kubernetes: 'the label app.kubernetes.io/part-of', if the object has such a one. */
export function describeLabel(label: string, labels: Readonly<Record<string, string>>): string {
  if (label === '__meta_kubernetes_pod_container_port_name') return "the name of the container's port";
  const [, name] = /^__meta_kubernetes_(?:pod|service)_label_(.+)$/.exec(label) ?? [];
  if (name === undefined) return label;
  // Prometheus makes _ of every character that it can't have in a name.
  const own = Object.keys(labels).find((key) => key.replaceAll(/\W/g, '_') === name);
  return `the label ${own ?? name.replace(/^app_kubernetes_io_/, 'app.kubernetes.io/').replaceAll('_', '-')}`;
}
