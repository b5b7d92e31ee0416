import type { Planted } from './planting.ts';

/** Something that goes wrong in real life, how it comes about on a real cluster, and what has to be said of it. */
export interface Fault {
  what: string;
  plant(planted: Planted): Promise<void>;
  /** Takes it away. `npm run up` runs afterwards in any case. */
  restore(planted: Planted): Promise<void>;
  says: RegExp;
}

const observability = '--namespace=observability';

/** Ten of them; what belongs to Git is planted by a commit, the rest through the API. */
export const faults: readonly Fault[] = [
  {
    what: 'a service is scaled to zero',
    plant: (planted) => planted.kubectl('scale', 'deployment/api-node', '--replicas=0'),
    restore: (planted) => planted.kubectl('scale', 'deployment/api-node', '--replicas=1'),
    says: /^The service api-node has no pod: its Deployment was scaled to zero\.$/,
  },
  {
    what: 'a broken file of rules',
    plant: async (planted) => {
      await planted.editConfigMap('prometheus-rules', 'red.yml', (text) =>
        text.replace('sum by (namespace, service)', 'sum by (namespace, service'),
      );
      await planted.untilPrometheus('refuses it', 'prometheus_config_last_reload_successful{job="prometheus"} == 0');
    },
    restore: async () => {},
    says: /^Prometheus refuses its configuration, and goes on with the one before: .*red\.yml.*\.$/,
  },
  {
    what: 'a verb is missing in a Role',
    plant: (planted) =>
      planted.kubectl(
        'patch',
        'role/prometheus-discovery',
        '--type=json',
        '--patch=[{"op":"replace","path":"/rules/0/verbs","value":["get","list"]}]',
      ),
    restore: async () => {},
    says: /^Prometheus may not watch the pods in the namespace default, so that jobs services, \S+ can't find their targets\.$/,
  },
  {
    what: 'a renamed port',
    plant: async (planted) => {
      // The schema of the charts would refuse it, so somebody has made room for the name.
      await planted.commit({
        'helm/common/service.schema.json': ['"enum": ["http", "metrics"]', '"enum": ["http", "numbers"]'],
        'helm/worker-python/values.yaml': ['portName: metrics', 'portName: numbers'],
      });
      await planted.untilPods('worker-python', 'has the port numbers', (pod) =>
        JSON.stringify(pod.spec).includes('"numbers"'),
      );
    },
    restore: (planted) => planted.revert('worker-python'),
    says: /^The pod worker-python-\S+ is not a target: the job services drops targets whose __meta_kubernetes_pod_container_port_name does not match http\|metrics, and here it is "numbers"\.$/,
  },
  {
    what: 'a wrong label',
    plant: async (planted) => {
      await planted.kubectl(
        'label',
        'pod',
        '--selector=app.kubernetes.io/name=core-go',
        'app.kubernetes.io/part-of=elsewhere',
        '--overwrite',
      );
      await planted.untilPrometheus('has lost it', 'absent(up{service="core-go"})');
    },
    restore: (planted) =>
      planted.kubectl(
        'label',
        'pod',
        '--selector=app.kubernetes.io/name=core-go',
        'app.kubernetes.io/part-of=platform',
        '--overwrite',
      ),
    says: /^The pod core-go-\S+ is not a target: the job services drops targets whose __meta_kubernetes_pod_label_app_kubernetes_io_part_of does not match platform, and here it is "elsewhere"\.$/,
  },
  {
    what: 'a NetworkPolicy in the way',
    plant: async (planted) => {
      await planted.commit({ 'helm/core-go/values.yaml': ['- observability', '- monitoring'] });
      await planted.untilObject('networkpolicy/core-go', /monitoring/);
      // Connections that are open stay open, whatever a policy says.
      await planted.kubectl('delete', 'pod', '--selector=app.kubernetes.io/name=core-go');
      await planted.untilPrometheus('is kept out', 'up{service="core-go"} == 0');
    },
    restore: (planted) => planted.revert('core-go'),
    says: /^The NetworkPolicy default\/core-go does not let Prometheus reach the pod core-go-\S+ \(.+\), which answers the API server\.$/,
  },
  {
    what: 'a wrong path to scrape',
    plant: async (planted) => {
      await planted.editConfigMap('prometheus-config', 'prometheus.yml', (text) =>
        text.replace(/(- job_name: services\n(?:.*\n)*? +metrics_path: )\/metrics/, '$1/metricz'),
      );
      await planted.untilPrometheus('asks there', 'up{service="core-go"} == 0');
    },
    restore: async () => {},
    says: /^The pod (api-node|core-go)-\S+ answers 404 to http:\/\/\S+\/metricz: the job services asks for \/metricz, and the metrics are elsewhere\.$/,
  },
  {
    what: 'a wrong uid of the data source',
    plant: async (planted) => {
      await planted.editConfigMap('grafana-datasources', 'datasources.yaml', (text) =>
        text.replace('uid: prometheus', 'uid: numbers'),
      );
      await planted.restartGrafana();
    },
    restore: async () => {},
    says: /^Grafana has no data source with the uid prometheus, which the \d+ dashboards .+ name\.$/,
  },
  {
    what: 'a metric renamed in a panel',
    plant: async (planted) => {
      await planted.editConfigMap('grafana-dashboard-worker-python', 'worker-python.json', (text) =>
        text.replaceAll('worker_jobs_processed_total', 'worker_jobs_done_total'),
      );
      await planted.restartGrafana();
    },
    restore: async () => {},
    says: /^The panel ".+" of worker-python shows nothing: .*worker_jobs_done_total.* has no data\.$/,
  },
  {
    what: "a changed password of Grafana's",
    plant: (planted) =>
      planted.kubectl('patch', 'secret/grafana-admin', observability, '--patch={"stringData":{"password":"another"}}'),
    restore: async () => {},
    says: /^Grafana refuses the password that its Secret has: one of the two was changed\.$/,
  },
];
