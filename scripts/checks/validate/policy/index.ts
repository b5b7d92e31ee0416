import { type Finding, findingAt, type Located, type ValidationCheck } from '../../../repository/rendering/finding.ts';
import { checkChecksums } from './config-checksum.ts';
import { containerRules } from './containers.ts';
import { isExempt } from './exemptions.ts';
import { chartRules, objectRules } from './objects.ts';
import { type Pod, podsOf } from './pod.ts';
import { podRules } from './pods.ts';
import type { Fault, ObjectRule, PodRule } from './rule.ts';
import { findSecrets } from './secret-text.ts';
import { serviceRules } from './services.ts';

const tables = [...containerRules, ...podRules, ...serviceRules, ...chartRules, ...objectRules];

/** The rules of this platform that no tool knows. */
export const policy: ValidationCheck = {
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
      ...podsOf(groups.flat()).flatMap((pod) => [...containerFindings(pod), ...podFindings(pod, podRules)]),
      ...podsOf(services).flatMap((pod) => podFindings(pod, serviceRules)),
      ...groups.flatMap((group) => objectFindings(group, objectRules)),
      ...renderings.flatMap(({ objects }) => objectFindings(objects, chartRules)),
      ...(await checkChecksums(repository, tools)),
      ...(await findSecrets(repository)),
    ];
  },
};

function containerFindings(pod: Pod): Finding[] {
  return containerRules.flatMap((rule) =>
    pod.containers
      .filter(({ name }) => !isExempt(rule.id, named(pod.located), name))
      .flatMap((container) => toFindings(pod.located, rule, rule.fault(container, pod) ?? [])),
  );
}

function podFindings(pod: Pod, rules: readonly PodRule[]): Finding[] {
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

function toFindings(located: Located, rule: { id: string; remedy: string }, faults: Fault | Fault[]): Finding[] {
  return [faults]
    .flat()
    .map(({ path, message, remedy }) => findingAt(located, rule.id, path, message, remedy ?? rule.remedy));
}

function named({ object }: Located): string {
  return `${object.kind} ${object.metadata?.name}`;
}
