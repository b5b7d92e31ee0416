import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Status } from '../../cluster/component.ts';
import { connectGrafana, type Grafana, grafana as grafanaComponent } from '../../components/grafana.ts';
import { prometheus as prometheusComponent } from '../../components/prometheus.ts';
import { prometheusPath, type ScrapeTarget } from '../../components/prometheus-client.ts';
import { askIngress } from '../../components/routes.ts';
import { apiSite } from '../../components/services.ts';
import type { Config } from '../../config/config.ts';
import type { Context } from '../../images/context.ts';
import { ApiError, type ApiServer } from '../../kubernetes/api/api.ts';
import type { Kubectl } from '../../kubernetes/kubectl.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { readRegistrations } from '../../repository/applications.ts';
import {
  type AllowedEmpty,
  allowedEmptyFile,
  readAllowedEmpty,
  readDashboards,
} from '../../repository/dashboards/files.ts';
import { metricsFile, readMetricList } from '../../repository/metric-names.ts';
import { mapIn, mapsIn, textsIn } from '../../repository/yaml.ts';

/** What the checks ask: the running cluster, and what this checkout promises of it. */
export interface LiveCluster {
  prometheus: Prometheus;
  grafana: Grafana;
  /** The settings, of which the checks read the root, the ingress controller and the parts of the monitoring. */
  config: Pick<Config, 'root' | 'ingressController' | 'parts'>;
  /** What the component says of itself. */
  status(component: 'prometheus' | 'grafana'): Promise<Status>;
  /** All objects of a kind, in all namespaces or in one. */
  list<T extends KubeObject>(apiVersion: string, kind: string, namespace?: string): Promise<T[]>;
  /** What the API server answers to a GET, also for a pod behind its proxy; undefined where it answers with an error. */
  get(path: string): Promise<string | undefined>;
  /** Whether a ServiceAccount may do each of these things. */
  may(account: { namespace: string; name: string }, questions: readonly ResourceAttributes[]): Promise<boolean[]>;
  /** GETs a path of the API through the ingress; the status, or why there was no answer. */
  send(path: string): Promise<number | string>;
  /** The services that Argo CD is to deploy, by name. */
  services(): Promise<string[]>;
  /** The dashboards of this checkout, by uid. */
  dashboards(): Promise<Map<string, unknown>>;
  allowedEmpty(): Promise<AllowedEmpty>;
  /** The metrics that some program exposes, also before there is a series of them. */
  metricNames(): Promise<ReadonlySet<string>>;
}

/** Looks through a context. Nothing is asked before a check asks. */
export function connectLiveCluster(context: Context): LiveCluster {
  const { root } = context.config;
  const components = { prometheus: prometheusComponent, grafana: grafanaComponent };
  return {
    prometheus: connectPrometheus(() => context.api()),
    grafana: connectGrafana(context),
    config: context.config,
    status: (name) => components[name].status(context),
    list: (apiVersion, kind, namespace) => context.api().list(apiVersion, kind, namespace),
    async get(path) {
      try {
        return await context.api().text(path);
      } catch (error) {
        if (error instanceof ApiError) return undefined;
        throw error;
      }
    },
    may: async (account, questions) => reviewAccess(await context.kubectl(), account, questions),
    async send(path) {
      const { status, missing } = await askIngress(context, await apiSite(context), path);
      return status ?? missing ?? '';
    },
    services: async () => (await readRegistrations(root)).applications.map(({ metadata }) => metadata.name),
    async dashboards() {
      const files = await readDashboards(root);
      return new Map([...files].map(([uid, { text }]) => [uid, JSON.parse(text) as unknown]));
    },
    allowedEmpty: async () => readAllowedEmpty(await readFile(join(root, allowedEmptyFile), 'utf8')),
    async metricNames() {
      const { list } = readMetricList(await readFile(join(root, metricsFile), 'utf8'));
      return new Set([...list.values()].flatMap(({ recorded, documented }) => [...recorded, ...documented]));
    },
  };
}

/** A time series of an answer, with its newest value. */
export interface Series {
  metric: Record<string, string>;
  value: [time: number, value: string];
}

/** Something that discovery found, and the name of the part of `scrape_configs` that it comes from. */
export interface DroppedTarget {
  discoveredLabels: Record<string, string>;
  scrapePool: string;
}

export interface ActiveTarget extends ScrapeTarget, DroppedTarget {
  labels: ScrapeTarget['labels'] & { version?: string };
}

/** What a rule of relabel_configs makes of a target. */
export interface RelabelStep {
  rule: { source_labels?: string[]; separator: string; regex: string; action: string };
  output: Record<string, string>;
  /** Whether the target is still there after it. */
  keep: boolean;
}

export interface LiveRule {
  name: string;
  type: 'recording' | 'alerting';
  query: string;
  health: 'ok' | 'unknown' | 'err';
  lastError?: string;
}

/** What is read of a job of the configuration that Prometheus runs with. */
export interface LiveJob {
  name: string;
  discovery: { role: string; namespaces: string[] }[];
}

/** The running Prometheus' API, https://prometheus.io/docs/prometheus/latest/querying/api. Throws `ApiError`, `Unreachable`. */
export interface Prometheus {
  query(expr: string): Promise<Series[]>;
  targets(): Promise<{ activeTargets: ActiveTarget[]; droppedTargets: DroppedTarget[] }>;
  /** What each rule of the job makes of the labels (Prometheus 3.8 and newer). */
  relabelSteps(target: DroppedTarget): Promise<RelabelStep[]>;
  rules(): Promise<{ file: string; rules: LiveRule[] }[]>;
  /** The configuration that it has read, as YAML with every default in it. */
  config(): Promise<string>;
}

/** Prometheus through the API server's proxy: it works where the ingress does not. */
function connectPrometheus(api: () => ApiServer): Prometheus {
  const ask = async <T>(path: string, query: Record<string, string> = {}) =>
    (await api().json<{ data: T }>(prometheusPath(`/api/v1/${path}?${new URLSearchParams(query)}`))).data;
  return {
    query: async (expr) => (await ask<{ result: Series[] }>('query', { query: expr })).result,
    targets: () => ask('targets'),
    relabelSteps: async ({ scrapePool, discoveredLabels }) => {
      const query = { scrapePool, labels: JSON.stringify(discoveredLabels) };
      return (await ask<{ steps: RelabelStep[] }>('targets/relabel_steps', query)).steps;
    },
    rules: async () => (await ask<{ groups: { file: string; rules: LiveRule[] }[] }>('rules')).groups,
    config: async () => (await ask<{ yaml: string }>('status/config')).yaml,
  };
}

/** Queries that Prometheus is asked at the same time, at most. */
export const concurrentQueries = 6;

/** The jobs of a configuration. */
export function jobsIn(config: string): LiveJob[] {
  const { scrape_configs: jobs } = mapIn<{ scrape_configs: unknown }>(parse(config));
  return mapsIn<{ [field: string]: unknown }>(jobs).map((job) => ({
    name: String(job.job_name),
    discovery: mapsIn<{ role: string; namespaces: object }>(job.kubernetes_sd_configs).map(({ role, namespaces }) => ({
      role: String(role),
      namespaces: textsIn(mapIn<{ names: unknown }>(namespaces).names),
    })),
  }));
}

/** Whether an account may do something with a kind of objects; without a namespace, in all of them. */
export interface ResourceAttributes {
  verb: string;
  group: string;
  resource: string;
  namespace?: string;
}

/** Asks the API server for each question whether a ServiceAccount may do that, all with one kubectl. */
export async function reviewAccess(
  kubectl: Kubectl,
  { namespace, name }: { namespace: string; name: string },
  questions: readonly ResourceAttributes[],
): Promise<boolean[]> {
  if (questions.length === 0) return [];
  const user = `system:serviceaccount:${namespace}:${name}`;
  // What the API server adds to every account's request.
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'];
  const head = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview' };
  const reviews = questions.map((resourceAttributes) => ({ ...head, spec: { user, groups, resourceAttributes } }));
  const args = ['create', '--validate=false', '--output=jsonpath={.status.allowed}{"\\n"}', '--filename=-'];
  const { stdout } = await kubectl.run(args, {
    input: reviews.map((review) => JSON.stringify(review)).join('\n---\n'),
  });
  const answers = stdout.replace(/\n$/, '').split('\n');
  if (answers.length !== questions.length) throw new Error(`${questions.length} questions, ${answers.length} answers`);
  return answers.map((answer) => answer === 'true');
}
