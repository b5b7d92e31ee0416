import type { KubeObject, Labels } from './objects.ts';

/*
 * What is read of Kubernetes' objects, each kind with the fields that something here looks at. They are our own: those of
 * @kubernetes/client-node come with 68 packages and 83 MB, and say that times are `Date`, which is so in that client alone;
 * kubernetes-types (one package, 1 MB) ends at 1.30, and no field of its objects is sure to be there.
 */

interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

/** The parts of Deployments, StatefulSets and DaemonSets that tell whether they are rolled out. */
export interface Workload extends KubeObject {
  spec: { replicas?: number; selector: { matchLabels?: Labels }; template: { spec: PodSpec } };
  status?: {
    observedGeneration?: number;
    replicas?: number;
    updatedReplicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    desiredNumberScheduled?: number;
    updatedNumberScheduled?: number;
    numberAvailable?: number;
    conditions?: Condition[];
  };
}

export interface Job extends KubeObject {
  spec: { selector?: { matchLabels?: Labels }; template: { spec: PodSpec } };
  status?: { conditions?: Condition[] };
}

export interface PodSpec {
  containers: { name: string; image: string }[];
  initContainers?: { name: string; image: string }[];
}

export interface Pod extends KubeObject {
  spec: PodSpec & { nodeName?: string; serviceAccountName?: string };
  status: {
    phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
    podIP?: string;
    /** Why it failed as a whole, as in Evicted. */
    reason?: string;
    message?: string;
    conditions?: Condition[];
    containerStatuses?: ContainerStatus[];
    initContainerStatuses?: ContainerStatus[];
  };
}

export interface ContainerStatus {
  name: string;
  image: string;
  imageID: string;
  ready: boolean;
  restartCount: number;
  lastState?: { terminated?: { finishedAt?: string; reason?: string } };
  state: {
    waiting?: { reason?: string; message?: string };
    running?: { startedAt?: string };
    terminated?: { reason?: string; message?: string; exitCode: number };
  };
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

/** An Event. */
export interface KubeEvent extends KubeObject {
  type?: string;
  reason?: string;
  message?: string;
  /** How often it was seen. */
  count?: number;
  lastTimestamp?: string;
  eventTime?: string;
  involvedObject?: { kind?: string; name?: string; uid?: string };
}

export interface Node extends KubeObject {
  spec: { taints?: { key: string; effect: string }[] };
}

export interface Namespace extends KubeObject {
  status?: { conditions?: Condition[] };
}

export interface Lease extends KubeObject {
  spec: { renewTime?: string };
}

export interface HorizontalPodAutoscaler extends KubeObject {
  spec: { scaleTargetRef: { kind: string; name: string }; minReplicas?: number; maxReplicas: number };
}

export interface Ingress extends KubeObject {
  spec: { rules?: { host?: string }[]; tls?: { hosts?: string[]; secretName?: string }[] };
}

export interface ApiService extends KubeObject {
  /** `service`: where another server answers for the group. */
  spec: { service?: object | null; caBundle?: string };
  status?: { conditions?: Condition[] };
}

export interface ValidatingWebhookConfiguration extends KubeObject {
  webhooks: { clientConfig: { caBundle?: string } }[];
}
