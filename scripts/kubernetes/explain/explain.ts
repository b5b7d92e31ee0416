import { UserError } from '../../lib/errors.ts';
import type { ClusterContext } from '../context.ts';
import type { KubeEvent, Node } from '../types.ts';
import type { PodProblem } from './pod-problem.ts';
import { runtimeAdvice } from './runtime.ts';

/** The error for a pod that won't get ready: what is missing, which pod, its last warning, its last words, what to do. */
export async function explainPodProblem(
  context: ClusterContext,
  missing: string,
  problem: PodProblem,
): Promise<UserError> {
  const { pod, namespace, container, reason, message, hint } = problem;
  const where = `pod ${namespace}/${pod}${container === undefined ? '' : `, container ${container}`}`;
  const [event, log, taints] = await Promise.all([
    lastWarning(context, problem),
    lastLogLines(context, problem),
    /taint/.test(message) ? taintsOf(context) : undefined,
  ]);
  const lines = [`${missing}.`, `  ${where}: ${reason}${message === '' ? '' : `: ${message}`}`];
  if (event !== undefined && !message.includes(event)) lines.push(`  event: ${event}`);
  if (taints?.names.length) lines.push(`  taints of the node: ${taints.names.join(', ')}`);
  if (log.length > 0) lines.push('  log:', ...log.map((line) => `    ${line}`));
  return new UserError(lines.join('\n'), { id: problem.errorId, hint: taints?.remedy ?? hint });
}

/** The events of an object, by its name. */
export async function eventsOf(context: ClusterContext, namespace: string, name: string): Promise<KubeEvent[]> {
  const path = `/api/v1/namespaces/${namespace}/events?fieldSelector=involvedObject.name=${name}`;
  return (await context.api().json<{ items: KubeEvent[] }>(path)).items;
}

async function lastWarning(
  context: ClusterContext,
  { pod, namespace, reason }: PodProblem,
): Promise<string | undefined> {
  // A cluster of stubs has no pull secret, which says something only where an image doesn't come.
  const beside = /Image/.test(reason) ? ['BackOff'] : ['BackOff', 'FailedToRetrieveImagePullSecret'];
  try {
    const warnings = (await eventsOf(context, namespace, pod))
      .filter(({ type }) => type === 'Warning')
      .sort((a, b) => (a.lastTimestamp ?? '').localeCompare(b.lastTimestamp ?? ''));
    // "Back-off" only says that it was tried before; an earlier event tells the reason.
    const telling = warnings.filter((warning) => !beside.includes(warning.reason ?? ''));
    return (telling.at(-1) ?? warnings.at(-1))?.message;
  } catch {
    // An explanation without the event is better than the failure to get it.
    return undefined;
  }
}

async function lastLogLines(
  context: ClusterContext,
  { pod, namespace, container, reason }: PodProblem,
): Promise<string[]> {
  if (container === undefined || /Image|Config/.test(reason)) return [];
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/log?container=${container}&tailLines=5`;
  for (const which of ['&previous=true', '']) {
    const text = await context
      .api()
      .text(path + which)
      .catch(() => '');
    if (text.trim() !== '') return text.trimEnd().split('\n');
  }
  return [];
}

const unschedulable = 'node.kubernetes.io/unschedulable';

/**
 * What keeps new pods away from the cluster's nodes, by the names of its taints, and what to do about the first that is
 * known (https://kubernetes.io/docs/reference/labels-annotations-taints/). Since Kubernetes 1.34 the scheduler only says that
 * there are some. Never throws for what can't be told.
 */
async function taintsOf(context: ClusterContext): Promise<{ names: string[]; remedy: string | undefined }> {
  const { tellsWhy, lastResort, diskFull, memoryFull } = runtimeAdvice(context);
  const nodes = await context
    .api()
    .list<Node>('v1', 'Node')
    .catch((): Node[] => []);
  const taints = nodes.flatMap(({ spec }) => spec.taints ?? []).filter(({ effect }) => effect !== 'PreferNoSchedule');
  const names = [...new Set(taints.map(({ key }) => key))];
  const cordoned = nodes.find(({ spec }) => spec.taints?.some(({ key }) => key === unschedulable))?.metadata.name;
  const logs = `${tellsWhy} the node is not ready; ${lastResort}`;
  const remedies: Record<string, string> = {
    'node.kubernetes.io/disk-pressure': diskFull ?? logs,
    'node.kubernetes.io/memory-pressure': memoryFull ?? logs,
    [unschedulable]: `The node is cordoned: kubectl uncordon ${cordoned}`,
    'node.kubernetes.io/not-ready': logs,
    'node.kubernetes.io/unreachable': logs,
  };
  return { names, remedy: names.map((name) => remedies[name]).find((remedy) => remedy !== undefined) };
}
