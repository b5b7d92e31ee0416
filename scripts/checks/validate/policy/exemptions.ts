/** What may break a rule all the same, each with its reason. A container's name is left out where the pod is meant. */
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
    rule: 'pod-read-only-root',
    object: 'Deployment ingress-nginx-controller',
    container: 'controller',
    because: 'nginx.conf is written next to the templates of the image',
  },
  {
    rule: 'pod-capabilities',
    object: 'Deployment ingress-nginx-controller',
    container: 'controller',
    because: 'its programs carry the file capability NET_BIND_SERVICE, and would not start without it',
  },
  {
    rule: 'pod-host-port',
    object: 'Deployment ingress-nginx-controller',
    container: 'controller',
    because: 'the ports 80 and 443 of the node are the way into the cluster',
  },
  {
    rule: 'pod-host-port',
    object: 'Deployment traefik',
    container: 'traefik',
    because: 'the ports 80 and 443 of the node are the way into the cluster',
  },
  {
    rule: 'pod-image-pinned',
    object: /^Pod [\w-]+-test$/,
    because: 'helm test runs it for a moment, by hand, on the Node.js that the stand-ins are built on',
  },
];

export interface Exemption {
  rule: string;
  /** Kind and name. */
  object: string | RegExp;
  container?: string;
  because: string;
}

/** Whether a rule does not hold for an object, or for a container of it. */
export function isExempt(rule: string, object: string, container?: string): boolean {
  const isFor = (one: Exemption) => (typeof one.object === 'string' ? one.object === object : one.object.test(object));
  return exemptions.some(
    (one) => one.rule === rule && isFor(one) && (one.container === undefined || one.container === container),
  );
}
