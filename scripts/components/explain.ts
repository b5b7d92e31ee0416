import type { Context } from '../context.ts';
import { UserError } from '../lib/errors.ts';
import type { KubeObject } from '../lib/objects.ts';
import type { Trouble } from '../lib/trouble.ts';
import { taintsOf } from './taints.ts';

interface Event extends KubeObject {
  type?: string;
  reason?: string;
  message?: string;
  lastTimestamp?: string;
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

async function lastWarning(context: Context, { pod, namespace }: Trouble): Promise<string | undefined> {
  try {
    const path = `/api/v1/namespaces/${namespace}/events?fieldSelector=involvedObject.name=${pod}`;
    const { items } = await context.api().json<{ items: Event[] }>(path);
    const warnings = items
      .filter(({ type }) => type === 'Warning')
      .sort((a, b) => (a.lastTimestamp ?? '').localeCompare(b.lastTimestamp ?? ''));
    // "Back-off" only says that it was tried before; the reason stands in an earlier event.
    const telling = warnings.filter(({ reason }) => reason !== 'BackOff');
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
