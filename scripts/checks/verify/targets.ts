import { monitoringParts } from '../../config/settings.ts';
import type { Workload } from '../../kubernetes/types.ts';
import { isOfService, missingOf } from '../../kubernetes/workloads.ts';
import { counted } from '../../lib/text.ts';
import {
  listServiceObjects,
  type ServicePod,
  servicePods,
  type VerificationCheck,
  type VerificationFinding,
} from './check.ts';
import type { ActiveTarget, LiveCluster, LiveService } from './live.ts';
import { explainDownTarget, explainMissingTarget, podOf } from './target-faults.ts';

/** Whether there is something to be scraped at all. */
export const verifyServices: VerificationCheck = {
  name: 'services',
  title: 'every service runs',
  async run(live) {
    const [services, deployments, pods] = await Promise.all([
      live.services(),
      listServiceObjects<Workload>(live, 'apps/v1', 'Deployment'),
      servicePods(live),
    ]);
    const findings = services.map((service) =>
      explainService(service, deployments.find(isOfService(service.name, service.namespace))),
    );
    return { findings, detail: `${counted(pods.length, 'pod')} of ${counted(services.length, 'service')}` };
  },
};

function explainService(
  { name, namespace, isScalable }: LiveService,
  deployment: Workload | undefined,
): VerificationFinding | undefined {
  // Of a chart written by hand, Argo CD says whether what it deploys is healthy.
  if (!deployment && !isScalable) return undefined;
  if (!deployment) return { message: `The service ${name} is missing: it has no Deployment.`, remedy: 'npm run up' };
  if (deployment.spec.replicas === 0)
    return {
      message: `The service ${name} has no pod: its Deployment was scaled to zero.`,
      remedy: `kubectl -n ${namespace} scale deployment/${deployment.metadata.name} --replicas=1; an HPA and Argo CD leave a zero alone.`,
      lasting: true,
    };
  const missing = missingOf(deployment);
  return missing === undefined
    ? undefined
    : {
        message: `The service ${name} is not complete: ${missing}.`,
        remedy: 'npm run status, and npm run up where it does not continue by itself.',
      };
}

/** Whether each pod of each service is exactly one target, and that is up. */
export const verifyTargets: VerificationCheck = {
  name: 'targets',
  title: 'every pod is one target, and up',
  async run(live) {
    const [services, pods, found] = await Promise.all([live.services(), servicePods(live), live.prometheus.targets()]);
    const all = await Promise.all(pods.map((one) => checkPod(live, one, found)));
    const findings = [...all, ...staleTargets(found.activeTargets, services, pods)];
    return { findings, detail: counted(pods.length, 'pod') };
  },
};

type Targets = Awaited<ReturnType<LiveCluster['prometheus']['targets']>>;

async function checkPod(
  live: LiveCluster,
  { service, pod }: ServicePod,
  { activeTargets, droppedTargets }: Targets,
): Promise<VerificationFinding | undefined> {
  const { name } = pod.metadata;
  const own = activeTargets.filter((target) => podOf(target) === name);
  const [target, ...others] = own;
  if (target === undefined) {
    const dropped = droppedTargets.filter((one) => podOf(one) === name);
    return explainMissingTarget(live, pod.metadata, dropped);
  }
  if (others.length > 0) {
    const pools = [...new Set(own.map(({ scrapePool }) => scrapePool))].join(', ');
    return {
      message: `The pod ${name} is ${own.length} targets (${own.map(({ scrapeUrl }) => scrapeUrl).join(', ')}), so that it counts ${own.length} times.`,
      remedy: `Have the rules of ${pools} in prometheus.yml keep one port of each pod.`,
    };
  }
  if (target.health === 'up') return undefined;
  if (target.health === 'unknown')
    return { message: `The pod ${name} has not been scraped yet.`, remedy: 'Wait for a moment.' };
  return explainDownTarget(live, service, pod, target);
}

/** Targets in the services' namespaces whose pod is gone: they would raise alerts for ever. */
function staleTargets(
  active: readonly ActiveTarget[],
  services: readonly LiveService[],
  pods: readonly ServicePod[],
): VerificationFinding[] {
  const known = new Set(pods.map(({ pod }) => pod.metadata.name));
  return active
    .filter(({ labels }) =>
      services.some(({ name, namespace }) => labels.namespace === namespace && labels.job === name),
    )
    .filter((target) => podOf(target) !== undefined && !known.has(podOf(target) ?? ''))
    .map((target) => ({
      message: `Prometheus still scrapes the pod ${podOf(target)}, which is gone.`,
      remedy: 'Wait until it has noticed, or look at the log of Prometheus.',
    }));
}

/** The labels by which dashboards, rules and people ask. */
const promisedLabels = ['job', 'namespace', 'pod', 'service', 'version'] as const;

/** Whether the targets of the services have the labels that everything else asks by, with the right values. */
export const verifyLabels: VerificationCheck = {
  name: 'labels',
  title: 'every target has the promised labels',
  async run(live) {
    const [pods, { activeTargets }] = await Promise.all([servicePods(live), live.prometheus.targets()]);
    const findings = pods.flatMap((one) => {
      const { name } = one.pod.metadata;
      const target = activeTargets.find((each) => podOf(each) === name);
      // That it is no target at all is another check's to say.
      if (!target) return [];
      const wanted = labelsOf(one);
      return promisedLabels.map((label) => {
        const found = target.labels[label];
        if (found === wanted[label]) return undefined;
        const what = found === undefined ? `has no label ${label}` : `has ${label}="${found}"`;
        return {
          message: `The target of the pod ${name} ${what}, where ${label}="${wanted[label]}" is promised.`,
          remedy:
            label === 'version'
              ? 'Compare relabel_configs in prometheus.yml, and the label app.kubernetes.io/version of the pod with the tag of its image.'
              : `Correct the rule for ${label} in relabel_configs of the job ${target.scrapePool} in prometheus.yml, and npm run up.`,
        };
      });
    });
    return { findings, detail: `${promisedLabels.join(', ')} of ${counted(pods.length, 'pod')}` };
  },
};

function labelsOf({ service, pod }: ServicePod): Record<(typeof promisedLabels)[number], string> {
  const { name, namespace = '' } = pod.metadata;
  const image = pod.spec.containers.find((container) => container.name === service)?.image ?? '';
  // The chart makes the label of the tag, and one that is no text in YAML is made one there.
  return { job: service, service, namespace, pod: name, version: image.slice(image.lastIndexOf(':') + 1) };
}

/** Whether what is scraped besides the services is there, too: Prometheus itself, Argo CD, the ingress controller, … */
export const verifyJobs: VerificationCheck = {
  name: 'jobs',
  title: 'every scrape job has targets, all of them up',
  async run(live) {
    const [jobs, { activeTargets }] = await Promise.all([live.prometheus.jobs(), live.prometheus.targets()]);
    // The job of a part that is not enabled waits for it.
    const isUnwanted = (job: string) =>
      monitoringParts.some((part) => part === job && !live.config.parts.includes(part));
    const empty = jobs.filter(({ name }) => !isUnwanted(name) && !activeTargets.some((one) => one.scrapePool === name));
    const down = activeTargets.filter(({ health }) => health !== 'up');
    const findings = [
      ...empty.map(({ name }) => ({
        message: `The job ${name} has no target.`,
        remedy: `Compare its rules in observability/prometheus with what runs; npm run status says what is missing.`,
      })),
      ...down.map(({ scrapePool, scrapeUrl, lastError }) => ({
        message: `The job ${scrapePool} can't scrape ${scrapeUrl}: ${lastError || 'it has not tried yet'}.`,
        remedy: 'npm run status says whether that runs; Status > Target health in Prometheus shows the last tries.',
      })),
    ];
    return { findings, detail: `${counted(activeTargets.length, 'target')} of ${counted(jobs.length, 'job')}` };
  },
};
