import type { KubeObject } from '../objects.ts';

/** A port of a Service, by its name. */
export interface ServicePort {
  namespace: string;
  service: string;
  port: string;
}

/** A part of what is behind a Service: which pods, at which ports, in which state. */
export interface EndpointSlice extends KubeObject {
  endpoints?:
    | {
        conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
        targetRef?: { kind?: string; name?: string; uid?: string };
      }[]
    | null;
  ports?: { name?: string; port?: number }[] | null;
}

/** A pod, and the port in it that a Service leads to. */
export interface Endpoint {
  namespace: string;
  pod: string;
  uid: string;
  port: number;
}

export const slicesPath = '/apis/discovery.k8s.io/v1/endpointslices';

/**
 * The pod to lead to: the one that it is now, for as long as that is ready, else another that is; a pod that is about to
 * end, but still answers, only where no other does. Undefined where none does.
 */
export function endpointOf(
  slices: readonly EndpointSlice[],
  { namespace, service, port }: ServicePort,
  now: Endpoint | undefined,
): Endpoint | undefined {
  const own = slices.filter(
    ({ metadata }) => metadata.namespace === namespace && metadata.labels?.['kubernetes.io/service-name'] === service,
  );
  const found = own.flatMap(({ endpoints, ports }) => {
    // A Service with a single port may leave its name out, or have been given another one.
    const number = (ports?.find(({ name }) => name === port) ?? (ports?.length === 1 ? ports[0] : undefined))?.port;
    if (number === undefined) return [];
    return (endpoints ?? []).flatMap(({ conditions = {}, targetRef }) => {
      if (targetRef?.kind !== 'Pod' || targetRef.name === undefined) return [];
      const endpoint = { namespace, pod: targetRef.name, uid: targetRef.uid ?? '', port: number };
      return [{ endpoint, ready: conditions.ready !== false, serving: conditions.serving !== false }];
    });
  });
  const ready = found.filter((one) => one.ready);
  const usable = ready.length > 0 ? ready : found.filter((one) => one.serving);
  return (usable.find(({ endpoint }) => isSame(endpoint, now)) ?? usable[0])?.endpoint;
}

/** Whether both are the same port of the same pod; a pod that was made anew under the same name is another one. */
export function isSame(a: Endpoint | undefined, b: Endpoint | undefined): boolean {
  return a?.uid === b?.uid && a?.pod === b?.pod && a?.port === b?.port;
}
