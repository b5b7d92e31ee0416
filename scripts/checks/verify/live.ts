import { parse } from 'yaml';
import { connectGrafana, grafana as grafanaComponent } from '../../components/grafana.ts';
import { prometheus as prometheusComponent } from '../../components/prometheus.ts';
import { prometheusPath, type ScrapeTarget } from '../../components/prometheus-client.ts';
import { askIngress } from '../../components/routes.ts';
import { apiSite, findApiSite } from '../../components/services.ts';
import type { Context } from '../../images/context.ts';
import { ApiError, type ApiServer } from '../../kubernetes/api/api.ts';
import type { Kubectl } from '../../kubernetes/kubectl.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { limitConcurrency } from '../../lib/tasks.ts';
import { type ServiceAtHead, servicesAtHead } from '../../repository/committed-values.ts';
import { allowedEmptyFile, readAllowedEmpty, readDashboards } from '../../repository/dashboards/files.ts';
import { metricsFile, readMetricList } from '../../repository/metric-names.ts';
import { readText } from '../../repository/text.ts';
import { mapIn, mapsIn, textsIn } from '../../repository/yaml.ts';

/** What the checks ask: the running cluster, and what this checkout promises of it. */
export type LiveCluster = ReturnType<typeof connectLiveCluster>;

/** Looks through a context. Nothing is asked before a check asks. */
export function connectLiveCluster(context: Context) {
  const { root, ingressController, parts } = context.config;
  const components = { prometheus: prometheusComponent, grafana: grafanaComponent };
  return {
    prometheus: connectPrometheus(() => context.api()),
    grafana: connectGrafana(context),
    config: { root, ingressController, parts },
    /** What the component says of itself. */
    status: (name: keyof typeof components) => components[name].status(context),
    /** All objects of a kind, in all namespaces or in one. */
    list: <T extends KubeObject>(apiVersion: string, kind: string, namespace?: string) =>
      context.api().list<T>(apiVersion, kind, namespace),
    /** What the API server answers to a GET, also for a pod behind its proxy; undefined where it answers with an error. */
    async get(path: string): Promise<string | undefined> {
      try {
        return await context.api().text(path);
      } catch (error) {
        if (error instanceof ApiError) return undefined;
        throw error;
      }
    },
    /** Whether a ServiceAccount may do each of these things. */
    may: async (account: Account, questions: readonly ResourceAttributes[]) =>
      reviewAccess(await context.kubectl(), account, questions),
    /** GETs a path of the API through the ingress; the status, or why there was no answer. */
    async send(path: string): Promise<number | string> {
      const { status, missing } = await askIngress(context, await apiSite(context), path);
      return status ?? missing ?? '';
    },
    /** The services that Argo CD is to deploy. */
    services: async (): Promise<LiveService[]> => servicesAtHead(context),
    /** What the ingress exposes; undefined where no service has an Ingress. */
    api: () => findApiSite(context),
    /** The dashboards of this checkout, by uid. */
    async dashboards() {
      const files = await readDashboards(root);
      return new Map([...files].map(([uid, { text }]) => [uid, JSON.parse(text) as unknown]));
    },
    allowedEmpty: async () => readAllowedEmpty(await readText(root, allowedEmptyFile)),
    /** The metrics that each program exposes, also before there is a series of them, by the name of the program or job. */
    metrics: async (): Promise<ReadonlyMap<string, readonly string[]>> => {
      const { list } = readMetricList(await readText(root, metricsFile));
      return new Map([...list].map(([name, { recorded, documented }]) => [name, [...recorded, ...documented]]));
    },
  };
}

/** What is known of a service without asking the cluster. */
export type LiveService = Pick<ServiceAtHead, 'name' | 'namespace' | 'program' | 'isScalable'>;

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

/** Queries that Prometheus is asked at the same time, at most. */
const concurrentQueries = 6;

/**
 * The running Prometheus' API, https://prometheus.io/docs/prometheus/latest/querying/api, through the API server's proxy: it
 * works where the ingress does not. Every call throws `ApiError` or `Unreachable`.
 */
function connectPrometheus(api: () => ApiServer) {
  const ask = async <T>(path: string, query: Record<string, string> = {}) =>
    (await api().json<{ data: T }>(prometheusPath(`/api/v1/${path}?${new URLSearchParams(query)}`))).data;
  const limited = limitConcurrency(concurrentQueries);
  return {
    query: async (expr: string) => (await limited(() => ask<{ result: Series[] }>('query', { query: expr }))).result,
    targets: () => ask<{ activeTargets: ActiveTarget[]; droppedTargets: DroppedTarget[] }>('targets'),
    /** What each rule of the job makes of the labels (Prometheus 3.8 and newer). */
    async relabelSteps({ scrapePool, discoveredLabels }: DroppedTarget) {
      const query = { scrapePool, labels: JSON.stringify(discoveredLabels) };
      return (await ask<{ steps: RelabelStep[] }>('targets/relabel_steps', query)).steps;
    },
    rules: async () => (await ask<{ groups: { file: string; rules: LiveRule[] }[] }>('rules')).groups,
    /** The jobs of the configuration that it has read. */
    jobs: async () => jobsIn((await ask<{ yaml: string }>('status/config')).yaml),
  };
}

function jobsIn(config: string): LiveJob[] {
  const { scrape_configs: jobs } = mapIn<{ scrape_configs: unknown }>(parse(config));
  return mapsIn<{ [field: string]: unknown }>(jobs).map((job) => ({
    name: String(job.job_name),
    discovery: mapsIn<{ role: string; namespaces: object }>(job.kubernetes_sd_configs).map(({ role, namespaces }) => ({
      role: String(role),
      namespaces: textsIn(mapIn<{ names: unknown }>(namespaces).names),
    })),
  }));
}

/** A ServiceAccount. */
interface Account {
  namespace: string;
  name: string;
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
  { namespace, name }: Account,
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
