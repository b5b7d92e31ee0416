import { fileURLToPath } from 'node:url';
import { connectLiveCluster } from '../../../scripts/checks/verify/live.ts';
import { loadConfig } from '../../../scripts/config/config.ts';
import { createContext } from '../../../scripts/context.ts';
import type { KubeObject } from '../../../scripts/kubernetes/objects.ts';

/**
 * Records what the cluster of this checkout answers to `npm run verify`, for its unit tests: only what the checks read.
 * node --import tsx test/campaigns/verify/record.ts > test/support/recorded-monitoring.json
 */
const config = loadConfig(fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, ''));
const live = connectLiveCluster(createContext(config, { signal: new AbortController().signal }));

const wanted = ['observability', 'default'];
const metadata = ({ metadata: { name, namespace, labels, generation } }: KubeObject) => ({
  name,
  ...(namespace !== undefined && { namespace }),
  ...(labels && { labels }),
  ...(generation !== undefined && { generation }),
});

async function objects(apiVersion: string, kind: string, keep: (object: KubeObject) => object): Promise<object[]> {
  const all = await live.list<KubeObject>(apiVersion, kind);
  const near = all.filter((one) => wanted.includes(one.metadata.namespace ?? ''));
  return near.map((one) => ({ apiVersion, kind, metadata: metadata(one), ...keep(one) }));
}

// biome-ignore lint/suspicious/noExplicitAny: what the API server hands out, of which a part is kept
type Any = any;
const pods = (object: KubeObject) => {
  const { spec, status } = object as Any;
  const containers = spec.containers.map(({ name, image, ports }: Any) => ({ name, image, ports }));
  const conditions = status.conditions.filter(({ type }: Any) => type === 'Ready');
  return {
    spec: { containers, serviceAccountName: spec.serviceAccountName },
    status: { phase: status.phase, podIP: status.podIP, conditions },
  };
};
const workloads = (object: KubeObject) => {
  const { spec, status } = object as Any;
  const { observedGeneration, replicas, updatedReplicas, readyReplicas, availableReplicas } = status;
  return {
    spec: { replicas: spec.replicas, selector: spec.selector },
    status: { observedGeneration, replicas, updatedReplicas, readyReplicas, availableReplicas },
  };
};

const { activeTargets, droppedTargets } = await live.prometheus.targets();
const near = ({ discoveredLabels, scrapePool }: { discoveredLabels: Record<string, string>; scrapePool: string }) =>
  scrapePool === 'services' || discoveredLabels.__meta_kubernetes_namespace === 'default';
const recorded = {
  objects: [
    ...(await objects('v1', 'Pod', pods)),
    ...(await objects('apps/v1', 'Deployment', workloads)),
    ...(await objects('networking.k8s.io/v1', 'NetworkPolicy', ({ spec }) => ({ spec }))),
  ],
  targets: {
    activeTargets: activeTargets.map(({ discoveredLabels, labels, scrapePool, scrapeUrl, lastError, health }) => ({
      discoveredLabels: { __meta_kubernetes_pod_name: discoveredLabels.__meta_kubernetes_pod_name },
      labels,
      scrapePool,
      scrapeUrl,
      lastError,
      health,
    })),
    droppedTargets: droppedTargets.filter(near).slice(0, 3),
  },
  discovered: Object.fromEntries(
    activeTargets
      .filter(near)
      .map(({ discoveredLabels }) => [discoveredLabels.__meta_kubernetes_pod_name, discoveredLabels]),
  ),
  jobs: await live.prometheus.jobs(),
  rules: (await live.prometheus.rules()).map(({ file, rules }) => ({
    file,
    rules: rules.map(({ name, type, query, health }) => ({ name, type, query, health })),
  })),
  grafana: await live.grafana.dashboards(),
};
process.stdout.write(`${JSON.stringify(recorded, undefined, 1)}\n`);
process.exit(0);
