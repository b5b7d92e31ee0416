import { prometheusNamespace } from '../../components/prometheus-client.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import type { Pod } from '../../kubernetes/types.ts';
import { matchesSelector } from '../validate/objects/lookup.ts';
import type { VerificationFinding } from './check.ts';
import type { ActiveTarget, DroppedTarget, LiveCluster, LiveJob } from './live.ts';

/** Discovery's own words, since the label `pod` is only what a rule makes of them. */
export function podOf({ discoveredLabels }: DroppedTarget): string | undefined {
  return discoveredLabels.__meta_kubernetes_pod_name;
}

/** By which rule a pod is left out, as Prometheus itself says: the rule that the pod comes furthest to. */
export async function explainMissingTarget(
  live: LiveCluster,
  { name, namespace = '' }: Pod['metadata'],
  dropped: readonly DroppedTarget[],
): Promise<VerificationFinding> {
  const jobs = await live.prometheus.jobs();
  // Other jobs come across a pod as well, as the one that looks through Services, and rightly leave it alone.
  const looksForServices = ({ role, namespaces }: LiveJob['discovery'][number]) =>
    role === 'pod' && (namespaces.length === 0 || namespaces.includes(namespace));
  const meant = new Set(jobs.filter(({ discovery }) => discovery.some(looksForServices)).map((job) => job.name));
  const reasons = await Promise.all(
    dropped
      .filter(({ scrapePool }) => meant.has(scrapePool))
      .map(async (target) => {
        const steps = await live.prometheus.relabelSteps(target);
        const passed = steps.findIndex(({ keep }) => !keep);
        const labels = steps[passed - 1]?.output ?? target.discoveredLabels;
        return { job: target.scrapePool, passed, rule: steps[passed]?.rule, labels };
      }),
  );
  const [reason] = reasons.sort((a, b) => b.passed - a.passed);
  if (reason?.rule === undefined) {
    return {
      message: `The pod ${name} is not a target: Prometheus has not found it.`,
      remedy: `Check whether a job of prometheus.yml looks for pods in ${namespace}, and the log of Prometheus.`,
    };
  }
  const { job, rule, labels } = reason;
  const { source_labels: sources = [], separator, regex, action } = rule;
  const value = sources.map((label) => labels[label] ?? '').join(separator);
  const where = `whose ${sources.join(separator)} ${action.startsWith('drop') ? 'matches' : 'does not match'} ${regex}`;
  return {
    message: `The pod ${name} is not a target: the job ${job} drops targets ${where}, and here it is ${value === '' ? 'empty' : `"${value}"`}.`,
    remedy: 'Correct the label or the name of the port in the chart (helm/), or the rule in observability/prometheus.',
  };
}

interface NetworkPolicy extends KubeObject {
  spec: { podSelector?: object };
}

/** Why a target is down, from what the scrape failed with and from whether the pod answers another request. */
export async function explainDownTarget(
  live: LiveCluster,
  service: string,
  pod: Pod,
  { scrapeUrl, scrapePool, lastError }: ActiveTarget,
): Promise<VerificationFinding> {
  const { name, namespace } = pod.metadata;
  const { port, pathname } = new URL(scrapeUrl);
  const status = /HTTP status (\d+)/.exec(lastError)?.[1];
  if (status === '404') {
    return {
      message: `The pod ${name} answers 404 to ${scrapeUrl}: the job ${scrapePool} asks for ${pathname}, and the metrics are elsewhere.`,
      remedy: `Correct metrics_path of the job ${scrapePool} in observability/prometheus (the services have theirs at /metrics), and npm run up.`,
    };
  }
  const logs = `Look at the pod: kubectl -n ${namespace} logs ${name}; and at Status > Target health in Prometheus.`;
  if (status !== undefined) return { message: `The pod ${name} answers ${status} to ${scrapeUrl}.`, remedy: logs };
  // All else is what Prometheus says of an answer that it got, for example of its Content-Type.
  const isUnreached = /^Get "|\bdial |deadline exceeded|i\/o timeout/.test(lastError);
  const proxied = `/api/v1/namespaces/${namespace}/pods/${name}:${port}/proxy${pathname}`;
  if (!isUnreached || (await live.get(proxied)) === undefined)
    return { message: `The pod ${name} can't be scraped: ${lastError}.`, remedy: logs };
  // The same request comes through from the API server, to which no policy applies: something between the two does not let it.
  const policies = (await live.list<NetworkPolicy>('networking.k8s.io/v1', 'NetworkPolicy', namespace)).filter(
    ({ spec }) => matchesSelector(spec.podSelector ?? {}, pod.metadata.labels ?? {}),
  );
  const named = policies.map(({ metadata }) => `${namespace}/${metadata.name}`).join(' or ');
  return {
    message: `The NetworkPolicy ${named || `of ${prometheusNamespace}`} does not let Prometheus reach the pod ${name} (${lastError}), which answers the API server.`,
    remedy: `Let the namespace ${prometheusNamespace} in: networkPolicy.fromNamespaces.prometheus in helm/${service}/values.yaml, or delete the policy.`,
    lasting: true,
  };
}
