import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type {
  ActiveTarget,
  DroppedTarget,
  LiveCluster,
  LiveJob,
  LiveRule,
  RelabelStep,
  Series,
} from '../../scripts/checks/verify/live.ts';
import { GrafanaPasswordRefused } from '../../scripts/components/grafana.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import { UserError } from '../../scripts/lib/errors.ts';
import { readDashboards } from '../../scripts/repository/dashboards/files.ts';

/** What a healthy cluster answered, recorded by test/campaigns/verify/record.ts; and what a test makes of it. */
export interface Recorded {
  objects: KubeObject[];
  targets: { activeTargets: ActiveTarget[]; droppedTargets: DroppedTarget[] };
  /** All that discovery knows of the services' pods, by their names. */
  discovered: Record<string, Record<string, string>>;
  jobs: LiveJob[];
  rules: { file: string; rules: LiveRule[] }[];
  grafana: { uid: string; title: string }[];
  /** Not recorded: what a query has for an answer; by default one series of the value 1. */
  answer: (query: string) => Series[] | Error;
  status: Awaited<ReturnType<LiveCluster['status']>>;
  /** What each rule makes of a target that was dropped. */
  relabelSteps: (target: DroppedTarget) => RelabelStep[];
  /** What the API server answers to a path, of a log or of a pod behind its proxy. */
  get: (path: string) => string | undefined;
  may: (verb: string, resource: string, namespace: string | undefined) => boolean;
  send: () => number | string;
  /** The uids of the data sources that Grafana has. */
  sources: string[];
  passwordRefused: boolean;
  allowed: Awaited<ReturnType<LiveCluster['allowedEmpty']>>;
  /** The metrics that are known to be exposed, by program. */
  metrics: ReadonlyMap<string, readonly string[]>;
  ingressController: LiveCluster['config']['ingressController'];
}

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const text = readFileSync(new URL('recorded-monitoring.json', import.meta.url), 'utf8');

export const one: Series = { metric: {}, value: [0, '1'] };

/** A recording to change, of a cluster on which all is well. */
export function recorded(): Recorded {
  return {
    ...(JSON.parse(text) as Recorded),
    answer: () => [one],
    status: { state: 'ready' },
    relabelSteps: () => [],
    get: () => undefined,
    may: () => true,
    send: () => 200,
    sources: ['prometheus'],
    passwordRefused: false,
    allowed: { panels: [], rules: [] },
    metrics: new Map([
      ['api-node', ['http_requests_total']],
      ['core-go', ['http_requests_total']],
      ['worker-python', ['worker_jobs_processed_total']],
    ]),
    ingressController: 'nginx',
  };
}

/** The cluster that the checks see. */
export function liveOf(made: Recorded): LiveCluster {
  const files = () => readDashboards(root);
  const guarded = async <T>(answer: () => Promise<T>): Promise<T> => {
    if (made.passwordRefused)
      throw new GrafanaPasswordRefused('Grafana refuses the password.', { hint: 'Restart it.' });
    return answer();
  };
  return {
    prometheus: {
      async query(expr) {
        const answer = made.answer(expr);
        if (answer instanceof Error) throw answer;
        return answer;
      },
      targets: async () => made.targets,
      relabelSteps: async (target) => made.relabelSteps(target),
      rules: async () => made.rules,
      jobs: async () => made.jobs,
    },
    grafana: {
      dashboards: () => guarded(async () => made.grafana),
      dashboard: (uid) => guarded(async () => JSON.parse((await files()).get(uid)?.text ?? '{}')),
      throughDataSource: <T>(uid: string) =>
        guarded(async () => {
          if (!made.sources.includes(uid))
            throw new UserError(`Grafana refuses: .../uid/${uid}/ answers 404: not found`);
          return { data: { result: [one] } } as T;
        }),
    },
    config: { root, ingressController: made.ingressController, parts: [] },
    status: async () => made.status,
    list: async <T extends KubeObject>(apiVersion: string, kind: string, namespace?: string) =>
      made.objects.filter(
        (each) =>
          each.apiVersion === apiVersion &&
          each.kind === kind &&
          (namespace === undefined || each.metadata.namespace === namespace),
      ) as T[],
    get: async (path) => made.get(path),
    may: async (_, questions) => questions.map(({ verb, resource, namespace }) => made.may(verb, resource, namespace)),
    send: async () => made.send(),
    services: async () =>
      ['api-node', 'core-go', 'worker-python'].map((name) => ({
        ...{ name, namespace: 'default', program: name, isScalable: true },
      })),
    api: async () => ({
      ...{ service: 'api-node', namespace: 'default', program: 'api-node', upstream: 'core-go' },
      ...{ host: 'api.localhost', secret: undefined },
    }),
    dashboards: async () => new Map([...(await files())].map(([uid, file]) => [uid, JSON.parse(file.text) as unknown])),
    allowedEmpty: async () => made.allowed,
    metrics: async () => made.metrics,
  };
}
