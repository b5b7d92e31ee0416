import { UserError } from '../../lib/errors.ts';
import type { Context } from '../context.ts';
import type { KubeObject } from '../objects.ts';
import { taintsOf } from '../taints.ts';
import type { Trouble } from './trouble.ts';

export interface Event extends KubeObject {
  type?: string;
  reason?: string;
  message?: string;
  /** How often it was seen. */
  count?: number;
  lastTimestamp?: string;
  eventTime?: string;
  involvedObject?: { kind?: string; name?: string; uid?: string };
}

/** The error for a pod that won't get ready: what is missing, which pod, its last warning, its last words, what to do. */
export async function explain(context: Context, missing: string, trouble: Trouble): Promise<UserError> {
  const { pod, namespace, container, reason, message, hint } = trouble;
  const where = `pod ${namespace}/${pod}${container === undefined ? '' : `, container ${container}`}`;
  const [event, log, taints] = await Promise.all([
    lastWarning(context, trouble),
    lastWords(context, trouble),
    /taint/.test(message) ? taintsOf(context) : undefined,
  ]);
  const lines = [`${missing}.`, `  ${where}: ${reason}${message === '' ? '' : `: ${message}`}`];
  if (event !== undefined && !message.includes(event)) lines.push(`  event: ${event}`);
  if (taints?.names.length) lines.push(`  taints of the node: ${taints.names.join(', ')}`);
  if (log.length > 0) lines.push('  log:', ...log.map((line) => `    ${line}`));
  return new UserError(lines.join('\n'), { hint: taints?.remedy ?? hint });
}

/** The events of an object, by its name. */
export async function eventsOf(context: Context, namespace: string, name: string): Promise<Event[]> {
  const path = `/api/v1/namespaces/${namespace}/events?fieldSelector=involvedObject.name=${name}`;
  return (await context.api().json<{ items: Event[] }>(path)).items;
}

async function lastWarning(context: Context, { pod, namespace, reason }: Trouble): Promise<string | undefined> {
  // A cluster of stand-ins has no pull secret, which says something only where an image doesn't come.
  const beside = /Image/.test(reason) ? ['BackOff'] : ['BackOff', 'FailedToRetrieveImagePullSecret'];
  try {
    const warnings = (await eventsOf(context, namespace, pod))
      .filter(({ type }) => type === 'Warning')
      .sort((a, b) => (a.lastTimestamp ?? '').localeCompare(b.lastTimestamp ?? ''));
    // "Back-off" only says that it was tried before; the reason stands in an earlier event.
    const telling = warnings.filter((warning) => !beside.includes(warning.reason ?? ''));
    return (telling.at(-1) ?? warnings.at(-1))?.message;
  } catch {
    // An explanation without the event is better than the failure to get it.
    return undefined;
  }
}

async function lastWords(context: Context, { pod, namespace, container, reason }: Trouble): Promise<string[]> {
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
