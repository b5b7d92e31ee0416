import type { Pod } from '../../../kubernetes/workloads.ts';
import { servicesNamespace } from '../../../repository/applications.ts';
import { type Check, count, type Finding } from '../check.ts';
import type { Live } from '../live.ts';
import { type ServicePod, servicePods } from '../pods.ts';
import type { ActiveTarget, DroppedTarget } from '../prometheus.ts';
import { jobsIn, type LiveJob, whyDropped, wordsFor } from '../relabeling.ts';
import { whyDown } from '../why-down.ts';

/** Whether each pod of each service is exactly one target, and that is up. */
export const targets: Check = {
  name: 'targets',
  title: 'every pod is one target, and up',
  async run(live) {
    const [services, pods, found, config] = await Promise.all([
      live.services(),
      servicePods(live),
      live.prometheus.targets(),
      live.prometheus.config(),
    ]);
    const jobs = jobsIn(config);
    const all = await Promise.all(pods.map((one) => lookAtPod(live, one, found, jobs)));
    const gone = strangers(found.activeTargets, services, pods);
    return { findings: [...all.flat(), ...gone], detail: `${count(pods.length, 'pod')}` };
  },
};

async function lookAtPod(
  live: Live,
  { service, pod }: ServicePod,
  { activeTargets, droppedTargets }: { activeTargets: ActiveTarget[]; droppedTargets: DroppedTarget[] },
  jobs: readonly LiveJob[],
): Promise<Finding[]> {
  const { name } = pod.metadata;
  const own = activeTargets.filter((target) => podOf(target) === name);
  const [target, ...others] = own;
  if (target === undefined) return [missing(pod, droppedTargets, jobs)];
  if (others.length > 0) {
    const pools = [...new Set(own.map(({ scrapePool }) => scrapePool))].join(', ');
    return [
      {
        message: `The pod ${name} is ${own.length} targets (${own.map(({ scrapeUrl }) => scrapeUrl).join(', ')}), so that it counts ${own.length} times.`,
        remedy: `Have the rules of ${pools} in prometheus.yml keep one port of each pod.`,
      },
    ];
  }
  if (target.health === 'up') return [];
  if (target.health === 'unknown')
    return [{ message: `The pod ${name} has not been scraped yet.`, remedy: 'Wait for a moment.' }];
  return [await whyDown(live, service, pod, target, jobs)];
}

/** Discovery's own words, since the label `pod` is only what a rule makes of them. */
function podOf({ discoveredLabels }: ActiveTarget): string | undefined {
  return discoveredLabels.__meta_kubernetes_pod_name;
}

function missing(pod: Pod, dropped: readonly DroppedTarget[], jobs: readonly LiveJob[]): Finding {
  const { name } = pod.metadata;
  // Other jobs come across a pod as well, as the one that looks through Services, and rightly leave it alone.
  const meant = jobs.filter(({ discovery }) => discovery.some(looksForServices));
  const reasons = dropped
    .filter(({ discoveredLabels }) => discoveredLabels.__meta_kubernetes_pod_name === name)
    .flatMap((target) => whyDropped(target, meant) ?? [])
    .sort((a, b) => b.passed - a.passed);
  const [reason] = reasons;
  if (reason === undefined) {
    return {
      message: `The pod ${name} is no target: Prometheus has not found it.`,
      remedy: `Look whether a job of prometheus.yml looks for pods in ${servicesNamespace}, and at the log of Prometheus.`,
    };
  }
  const { job, rule, value } = reason;
  const words = rule.source_labels.map((label) => wordsFor(label, pod.metadata.labels ?? {})).join(' and ');
  const demand = rule.action === 'keep' ? `to be ${rule.regex}` : `not to be ${rule.regex}`;
  return {
    message: `The pod ${name} is no target: the job ${job} wants ${words} ${demand}, and here it is ${value === '' ? 'empty' : `"${value}"`}.`,
    remedy: `Call it so in the chart (helm/), or have the job take ${value === '' ? 'pods without it' : `"${value}"`} as well (observability/prometheus).`,
  };
}

function looksForServices({ role, namespaces }: LiveJob['discovery'][number]): boolean {
  return role === 'pod' && (namespaces.length === 0 || namespaces.includes(servicesNamespace));
}

/** Targets in the services' namespace whose pod is gone: they would raise alerts for ever. */
function strangers(
  active: readonly ActiveTarget[],
  services: readonly string[],
  pods: readonly ServicePod[],
): Finding[] {
  const known = new Set(pods.map(({ pod }) => pod.metadata.name));
  return active
    .filter(({ labels }) => labels.namespace === servicesNamespace && services.includes(labels.job ?? ''))
    .filter((target) => podOf(target) !== undefined && !known.has(podOf(target) ?? ''))
    .map((target) => ({
      message: `Prometheus still scrapes the pod ${podOf(target)}, which is gone.`,
      remedy: 'Wait until it has noticed, or look at the log of Prometheus.',
    }));
}
