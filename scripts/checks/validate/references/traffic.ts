import { closest } from '../../../lib/text.ts';
import type { Located } from '../../../repository/rendering/finding.ts';
import type { Fields, ObjectRule, RenderedPod, RuleViolation } from '../policy/rule.ts';
import { lookUp, objectNames, objectNamespace, selectedPods } from './cluster.ts';

/** Where requests go: Services, Ingresses, network policies. */
export const trafficRules: readonly ObjectRule[] = [
  {
    id: 'service-selects-pods',
    demands: 'A Service selects pods of its namespace.',
    remedy: 'Make its selector the labels of the pods that it is for.',
    kinds: ['Service'],
    faults(located, all) {
      const { selector } = specOf(located);
      if (selector === undefined || podsOfSelector(located, all).length > 0) return [];
      return [{ path: ['spec', 'selector'], message: `no pod has the labels ${JSON.stringify(selector)}.` }];
    },
  },
  {
    id: 'service-port-exists',
    demands: 'A port of a Service leads to a port of each pod that it selects.',
    remedy: 'Name a port of the container as targetPort.',
    kinds: ['Service'],
    faults: (located, all) =>
      ((specOf(located).ports ?? []) as Fields[]).flatMap(({ port, targetPort = port }, i): RuleViolation[] => {
        const without = podsOfSelector(located, all).find((pod) => !hasPort(pod, targetPort));
        if (without === undefined) return [];
        const { kind, metadata } = without.located.object;
        return [{ path: ['spec', 'ports', i], message: `${kind} ${metadata.name} has no port ${targetPort}.` }];
      }),
  },
  {
    id: 'ingress-backend-exists',
    demands: 'An Ingress leads to a Service of its namespace, and to a port that it has.',
    remedy: 'Correct the name or the port, or add the Service.',
    kinds: ['Ingress'],
    faults: (located, all) =>
      ((specOf(located).rules ?? []) as Fields[]).flatMap(({ http }, i) =>
        ((http?.paths ?? []) as Fields[]).flatMap(({ backend }, j): RuleViolation[] => {
          const message = faultOfBackend(located, all, backend?.service ?? {});
          const path = ['spec', 'rules', i, 'http', 'paths', j, 'backend', 'service'];
          return message === undefined ? [] : [{ path, message }];
        }),
      ),
  },
  {
    id: 'ingress-class-exists',
    demands: 'An Ingress names an IngressClass that exists, so that a controller looks after it.',
    remedy: 'Set ingressClassName to an IngressClass of ingress/.',
    kinds: ['Ingress'],
    faults(located, all) {
      const { ingressClassName: name } = specOf(located);
      if (name !== undefined && lookUp(all, 'IngressClass', undefined, name)) return [];
      return [{ path: ['spec', 'ingressClassName'], message: `there is no IngressClass ${name ?? ''}.` }];
    },
  },
  {
    id: 'network-policy-selects-pods',
    demands: 'A NetworkPolicy selects pods, the pods that it names in its own namespace exist, and so do namespaces.',
    remedy: 'Correct the labels or the name.',
    kinds: ['NetworkPolicy'],
    faults(located, all) {
      const { podSelector = {} } = specOf(located);
      const own = selectedPods(all, objectNamespace(located), podSelector);
      const self: RuleViolation[] =
        own.length > 0 ? [] : [{ path: ['spec', 'podSelector'], message: 'no pod has these labels.' }];
      return [...self, ...peerFaults(located, all), ...portFaults(located, own)];
    },
  },
];

function faultOfBackend(located: Located, all: readonly Located[], { name = '', port }: Fields): string | undefined {
  const namespace = objectNamespace(located);
  const service = lookUp(all, 'Service', namespace, name);
  if (service === undefined) {
    const meant = closest(name, objectNames(all, 'Service', namespace));
    return `there is no Service ${name} in ${namespace}.${meant === undefined ? '' : ` Did you mean ${meant}?`}`;
  }
  if (service === true) return undefined;
  const ports: Fields[] = specOf(service).ports ?? [];
  if (ports.some((each) => each.name === port?.name || each.port === port?.number)) return undefined;
  return `Service ${name} has no port ${port?.name ?? port?.number}.`;
}

/** Whom the policy lets in and out, as far as that is known here. */
function peerFaults(located: Located, all: readonly Located[]): RuleViolation[] {
  const lists = ['ingress', 'egress'].flatMap((way) =>
    ((specOf(located)[way] ?? []) as Fields[]).flatMap((rule, i) =>
      ((rule?.from ?? rule?.to ?? []) as Fields[]).map((peer, j) => ({
        peer,
        path: ['spec', way, i, way === 'ingress' ? 'from' : 'to', j],
      })),
    ),
  );
  return lists.flatMap(({ peer, path }): RuleViolation[] => {
    const { podSelector, namespaceSelector } = peer ?? {};
    if (namespaceSelector === undefined && podSelector !== undefined) {
      if (selectedPods(all, objectNamespace(located), podSelector).length > 0) return [];
      return [{ path: [...path, 'podSelector'], message: 'no pod has these labels.' }];
    }
    return namespacesNamed(namespaceSelector)
      .filter((name) => lookUp(all, 'Namespace', undefined, name) === undefined)
      .map((name) => ({ path: [...path, 'namespaceSelector'], message: `there is no namespace ${name}.` }));
  });
}

const namespaceNameLabel = 'kubernetes.io/metadata.name';

function namespacesNamed(selector: Fields): string[] {
  const label = selector?.matchLabels?.[namespaceNameLabel];
  const expressions: Fields[] = selector?.matchExpressions ?? [];
  const named = expressions.filter(({ key, operator }) => key === namespaceNameLabel && operator === 'In');
  return [...(label === undefined ? [] : [label]), ...named.flatMap(({ values = [] }) => values)];
}

/** A port by its name is one of the pods that the policy is for. */
function portFaults(located: Located, own: readonly RenderedPod[]): RuleViolation[] {
  return ((specOf(located).ingress ?? []) as Fields[]).flatMap((rule, i) =>
    ((rule?.ports ?? []) as Fields[]).flatMap(({ port }, j): RuleViolation[] =>
      own.every((pod) => port === undefined || typeof port === 'number' || hasPort(pod, port))
        ? []
        : [{ path: ['spec', 'ingress', i, 'ports', j, 'port'], message: `the pods have no port ${port}.` }],
    ),
  );
}

function podsOfSelector(service: Located, all: readonly Located[]): RenderedPod[] {
  const { selector } = specOf(service);
  return selector === undefined ? [] : selectedPods(all, objectNamespace(service), { matchLabels: selector });
}

function hasPort({ containers }: RenderedPod, port: string | number): boolean {
  const ports = containers.flatMap(({ fields }): Fields[] => fields.ports ?? []);
  return ports.some(({ name, containerPort }) => name === port || containerPort === port);
}

function specOf({ object }: Located): Fields {
  return object.spec ?? {};
}
