import { type Check, count, type Finding } from '../check.ts';
import { type ServicePod, servicePods } from '../pods.ts';

/** The labels by which dashboards, rules and people ask. */
const promised = ['job', 'namespace', 'pod', 'service', 'version'] as const;

/** Whether the targets of the services have the labels that everything else asks by, with the right values. */
export const labels: Check = {
  name: 'labels',
  title: 'every target has the promised labels',
  async run(live) {
    const [pods, { activeTargets }] = await Promise.all([servicePods(live), live.prometheus.targets()]);
    const findings = pods.flatMap((one): Finding[] => {
      const { name } = one.pod.metadata;
      const target = activeTargets.find((each) => each.discoveredLabels.__meta_kubernetes_pod_name === name);
      // That it is no target at all is another check's to say.
      if (!target) return [];
      const wanted = labelsOf(one);
      return promised.flatMap((label) => {
        const found = target.labels[label];
        if (found === wanted[label]) return [];
        const what = found === undefined ? `has no label ${label}` : `has ${label}="${found}"`;
        return [
          {
            message: `The target of the pod ${name} ${what}, where ${label}="${wanted[label]}" is promised.`,
            remedy:
              label === 'version'
                ? 'Compare relabel_configs in prometheus.yml, and the label app.kubernetes.io/version of the pod with the tag of its image.'
                : `Correct the rule for ${label} in relabel_configs of the job ${target.scrapePool} in prometheus.yml, and npm run up.`,
          },
        ];
      });
    });
    return { findings, detail: `${promised.join(', ')} of ${count(pods.length, 'pod')}` };
  },
};

function labelsOf({ service, pod }: ServicePod): Record<(typeof promised)[number], string> {
  const { name, namespace = '' } = pod.metadata;
  const image = pod.spec.containers.find((container) => container.name === service)?.image ?? '';
  // The chart makes the label of the tag, and one that is no text in YAML is made one there.
  return { job: service, service, namespace, pod: name, version: image.slice(image.lastIndexOf(':') + 1) };
}
