import type { KubeObject } from '../../kubernetes/objects.ts';
import type { Workload } from '../../kubernetes/workloads.ts';
import { changedFields, type Field, pathName } from './fields.ts';

/** Pods that would be replaced, and why: what changes in the template that they are made of. */
export interface Restart {
  pods: number;
  reasons: string[];
}

const kinds: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet']);
/** Characters up to which a value is shown with its field. */
const short = 60;

/** What would restart as a workload changes, or undefined. */
export function restartOf(live: KubeObject, predicted: KubeObject): Restart | undefined {
  if (!kinds.has(live.kind) || waits(predicted)) return undefined;
  const [before, after] = [live, predicted].map((object) => (object as Workload).spec.template);
  const fields = changedFields(before, after);
  const pods = podsOf(live as Workload);
  if (fields.length === 0 || pods === 0) return undefined;
  const reasons = [...new Set(fields.map(reasonOf))];
  // What a person looks for first.
  return { pods, reasons: [...reasons.filter(isImage), ...reasons.filter((reason) => !isImage(reason))] };
}

/** Whether somebody else decides when the pods are replaced. */
function waits({ spec }: KubeObject): boolean {
  const { paused, updateStrategy } = spec as { paused?: boolean; updateStrategy?: { type?: string } };
  return paused === true || updateStrategy?.type === 'OnDelete';
}

function podsOf({ kind, spec, status = {} }: Workload): number {
  return (kind === 'DaemonSet' ? status.desiredNumberScheduled : status.replicas) ?? spec.replicas ?? 0;
}

function isImage(reason: string): boolean {
  return reason.startsWith('image ');
}

/** Says a change of the template in a few words. The value of a variable is not told: it may be a password. */
function reasonOf({ path, before, after }: Field): string {
  const at = path.findIndex((part, index) => part === 'env' && path[index - 1]?.startsWith('['));
  if (at >= 0 && path[at + 1] !== undefined) return `variable ${path[at + 1]?.slice(1, -1)}`;
  const [, second, annotation] = path;
  if (second === 'annotations' && annotation !== undefined && /checksum/i.test(annotation)) {
    return `its configuration (${annotation})`;
  }
  if (path.at(-1) === 'image') return `image ${String(before)} → ${String(after)}`;
  const name = pathName(path[0] === 'spec' ? path.slice(1) : path);
  const [from, to] = [before, after].map(shown);
  return from === undefined || to === undefined || path[at] === 'env' ? name : `${name} ${from} → ${to}`;
}

function shown(value: unknown): string | undefined {
  if (value === undefined) return 'none';
  const text = typeof value === 'object' ? '' : String(value);
  return text === '' || text.length > short ? undefined : text;
}
