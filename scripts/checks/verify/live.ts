import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Status } from '../../cluster/component.ts';
import { connectGrafana, type Grafana, grafana as grafanaComponent } from '../../components/grafana.ts';
import { prometheus as prometheusComponent } from '../../components/prometheus.ts';
import { askIngress } from '../../components/routes.ts';
import { apiSite } from '../../components/services.ts';
import type { Config } from '../../config/config.ts';
import type { Context } from '../../images/context.ts';
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
import { type PrometheusLimits, readPrometheusLimits } from './capacity.ts';
import { connectPrometheus, type Prometheus } from './prometheus-api.ts';

/** What the checks ask: the running cluster, and what this checkout promises of it. */
export interface LiveCluster {
  prometheus: Prometheus;
  grafana: Grafana;
  ingressController: Config['ingressController'];
  /** The parts of the monitoring that the settings ask for. */
  parts: Config['parts'];
  /** What the component says of itself. */
  status(component: 'prometheus' | 'grafana'): Promise<Status>;
  /** All objects of a kind, in all namespaces or in one. */
  list<T extends KubeObject>(apiVersion: string, kind: string, namespace?: string): Promise<T[]>;
  /** The last lines that a container of a pod has written. */
  log(namespace: string, pod: string): Promise<string>;
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
  /** What the manifests give Prometheus. */
  limits(): Promise<PrometheusLimits>;
}

/** Looks through a context. Nothing is asked before a check asks. */
export function connectLiveCluster(context: Context): LiveCluster {
  const { root, ingressController, parts } = context.config;
  const components = { prometheus: prometheusComponent, grafana: grafanaComponent };
  return {
    prometheus: connectPrometheus(() => context.api()),
    grafana: connectGrafana(context),
    ingressController,
    parts,
    status: (name) => components[name].status(context),
    list: (apiVersion, kind, namespace) => context.api().list(apiVersion, kind, namespace),
    log: (namespace, pod) => context.api().text(`/api/v1/namespaces/${namespace}/pods/${pod}/log?tailLines=200`),
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
    limits: () => readPrometheusLimits(root),
  };
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
  account: { namespace: string; name: string },
  questions: readonly ResourceAttributes[],
): Promise<boolean[]> {
  if (questions.length === 0) return [];
  const { namespace, name } = account;
  const reviews = questions.map((resourceAttributes) => ({
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: {
      user: `system:serviceaccount:${namespace}:${name}`,
      // What the API server adds to every account's request.
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      resourceAttributes,
    },
  }));
  const args = ['create', '--validate=false', '--output=jsonpath={.status.allowed}{"\\n"}', '--filename=-'];
  const { stdout } = await kubectl.run(args, {
    input: reviews.map((review) => JSON.stringify(review)).join('\n---\n'),
  });
  const answers = stdout.replace(/\n$/, '').split('\n');
  if (answers.length !== questions.length) throw new Error(`${questions.length} questions, ${answers.length} answers`);
  return answers.map((answer) => answer === 'true');
}
