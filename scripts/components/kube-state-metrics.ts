import { part } from './prometheus-parts.ts';

/** What the objects of Kubernetes say of themselves, as metrics: KUBE_STATE_METRICS=true. */
export const kubeStateMetrics = part('kube-state-metrics');
