import type { Located } from '../../../repository/rendering/finding.ts';

/** What may break a rule, or a test of kube-score, all the same, each with its reason. */
export const exemptions: readonly Exemption[] = [
  {
    rule: 'pod-host-path',
    object: 'Deployment git-server',
    because: "it serves the clone's own git folder, which is mounted into the node, read-only",
  },
  {
    rule: 'pod-host-path',
    object: 'DaemonSet node-exporter',
    because: "the node's own files are what it measures; all are mounted read-only",
  },
  {
    rule: 'pod-capabilities',
    object: 'Deployment ingress-nginx-controller',
    container: 'controller',
    because: 'its programs carry the file capability NET_BIND_SERVICE, and would not start without it',
  },
  ...['Deployment ingress-nginx-controller', 'Deployment traefik'].map((object) => ({
    rule: 'pod-host-port',
    object,
    because: 'the ports 80 and 443 of the node are the way into the cluster',
  })),
  {
    rule: 'pod-image-pinned',
    object: /^Pod [\w-]+-test$/,
    because: 'helm test runs it for a moment, by hand, on the Node.js that the stand-ins are built on',
  },
  {
    rule: 'container-security-context-readonlyrootfilesystem',
    object: 'Deployment ingress-nginx-controller',
    because: 'nginx.conf is written next to the templates of the image',
  },
  {
    rule: 'container-resources',
    comment: /^CPU limit/,
    from: 'manifests',
    because: 'a limit of CPU slows down what many wait for; their requests share the CPU',
  },
  {
    rule: 'ingress-targets-service',
    object: 'Ingress argocd-server',
    because: "its Service comes with Argo CD's install.yaml",
  },
  { rule: 'container-image-pull-policy', because: 'a tag is a commit or a version: one image for good' },
  { rule: 'pod-probes-identical', because: 'it compares the requests only, not how often they are made' },
  {
    rule: 'deployment-has-host-podantiaffinity',
    because: 'topology spread constraints do that, without its drawbacks',
  },
  { rule: 'pod-networkpolicy', object: /^Pod [\w-]+-test$/, because: 'the pod of helm test asks a service, once' },
  { rule: 'horizontalpodautoscaler-replicas', values: 'values-dev.yaml', because: 'a laptop runs one pod of each' },
];

export interface Exemption {
  /** The id of a rule, or of a test of kube-score. */
  rule: string;
  /** Kind and name; all if it is left out, as with everything below. */
  object?: string | RegExp;
  container?: string;
  /** Rendered with this values file. */
  values?: string;
  /** Those that no chart renders. */
  from?: 'manifests';
  /** What kube-score says. */
  comment?: RegExp;
  because: string;
}

/** @returns whether a rule does not hold for an object, for a container of it, or for what kube-score says of it. */
export function isExempt(
  all: readonly Exemption[],
  rule: string,
  { object, rendering }: Located,
  { container, comment = '' }: { container?: string | undefined; comment?: string },
): boolean {
  const name = `${object.kind} ${object.metadata?.name}`;
  return all.some(
    (one) =>
      one.rule === rule &&
      (typeof one.object === 'object' ? one.object.test(name) : (one.object ?? name) === name) &&
      (one.container ?? container) === container &&
      (one.values ?? rendering?.values) === rendering?.values &&
      (one.from === undefined || rendering === undefined) &&
      (one.comment?.test(comment) ?? true),
  );
}
