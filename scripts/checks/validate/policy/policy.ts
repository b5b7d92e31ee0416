import {
  type Finding,
  findingAt,
  type Located,
  type Tools,
  type ValidationCheck,
} from '../../../repository/rendering/finding.ts';
import { render } from '../../../repository/rendering/helm.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { isExempt } from './exemptions.ts';
import { chartRules, objectRules } from './objects.ts';
import { containerRules, podRules } from './pods.ts';
import { type ObjectRule, type PodRule, type RenderedPod, type RuleViolation, renderedPods } from './rule.ts';
import { findSecrets } from './secret-text.ts';
import { serviceRules } from './services.ts';

const tables = [...containerRules, ...podRules, ...serviceRules, ...chartRules, ...objectRules];

/** The rules of this platform that no tool knows. */
export const validatePolicy: ValidationCheck = {
  name: 'policy',
  title: 'workloads keep to the rules of the platform',
  rules: {
    ...Object.fromEntries(tables.map(({ id, demands }) => [id, demands])),
    'service-config-checksum': 'A change of the ConfigMap of a service replaces its pods.',
    'secret-text': 'No text in a manifest, a chart or a values file looks like a token or a private key.',
  },
  async run(repository, tools) {
    const plain = await repository.manifests();
    const renderings = await repository.renderings();
    const groups = [plain, ...renderings.map(({ objects }) => objects)];
    const services = renderings.flatMap(({ objects }) => objects.filter(({ object }) => object.kind === 'Deployment'));
    return [
      ...renderedPods(groups.flat()).flatMap((pod) => [...containerFindings(pod), ...podFindings(pod, podRules)]),
      ...renderedPods(services).flatMap((pod) => podFindings(pod, serviceRules)),
      ...groups.flatMap((group) => objectFindings(group, objectRules)),
      ...renderings.flatMap(({ objects }) => objectFindings(objects, chartRules)),
      ...(await checkChecksums(repository, tools)),
      ...(await findSecrets(repository)),
    ];
  },
};

function containerFindings(pod: RenderedPod): Finding[] {
  return containerRules.flatMap((rule) =>
    pod.containers
      .filter(({ name }) => !isExempt(rule.id, named(pod.located), name))
      .flatMap((container) => toFindings(pod.located, rule, rule.fault(container, pod) ?? [])),
  );
}

function podFindings(pod: RenderedPod, rules: readonly PodRule[]): Finding[] {
  return rules
    .filter(({ id }) => !isExempt(id, named(pod.located)))
    .flatMap((rule) => toFindings(pod.located, rule, rule.faults(pod)));
}

function objectFindings(all: readonly Located[], rules: readonly ObjectRule[]): Finding[] {
  return all.flatMap((located) =>
    rules
      .filter(({ id, kinds }) => kinds.includes(located.object.kind) && !isExempt(id, named(located)))
      .flatMap((rule) => toFindings(located, rule, rule.faults(located, all))),
  );
}

function toFindings(
  located: Located,
  rule: { id: string; remedy: string },
  faults: RuleViolation | RuleViolation[],
): Finding[] {
  return [faults]
    .flat()
    .map(({ path, message, remedy }) => findingAt(located, rule.id, path, message, remedy ?? rule.remedy));
}

function named({ object }: Located): string {
  return `${object.kind} ${object.metadata?.name}`;
}

/**
 * Renders each chart once more with another variable: the ConfigMap changes with it, and then the pod template has to
 * change, too, or the pods would go on with what they read at their start.
 */
async function checkChecksums(repository: Repository, tools: Tools): Promise<Finding[]> {
  const before = (await repository.renderings()).filter(
    ({ values, refusal, known }) => values === 'values.yaml' && refusal === undefined && !known,
  );
  const found = before.map(async ({ chart, objects }): Promise<Finding[]> => {
    const after = await render(repository.root, chart, undefined, tools, ['--set-string', 'env.VALIDATION=changed']);
    const templates = new Map(
      renderedPods(after.objects).map((pod) => [pod.located.object.metadata.name, pod.metadata]),
    );
    return renderedPods(objects)
      .filter(({ spec }) => JSON.stringify(spec).includes('configMapRef'))
      .filter(({ located, metadata }) => {
        const changed = templates.get(located.object.metadata.name);
        return changed !== undefined && JSON.stringify(changed.annotations) === JSON.stringify(metadata.annotations);
      })
      .map(({ located, path }) =>
        findingAt(
          located,
          'service-config-checksum',
          [...path.slice(0, -1), 'metadata', 'annotations'],
          'a change of the ConfigMap changes nothing here, so the pods would not be replaced.',
          'Add an annotation with the checksum of what the ConfigMap holds.',
        ),
      );
  });
  return (await Promise.all(found)).flat();
}
