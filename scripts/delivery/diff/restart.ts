import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../../kubernetes/objects.ts';
import type { Workload } from '../../kubernetes/types.ts';

/** Pods that would be replaced, and why: what changes in the template that they are made of. */
export interface Restart {
  pods: number;
  reasons: string[];
}

const restartingKinds: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet']);
/** Characters up to which a value is shown with its field. */
const maxValueLength = 60;

/** What would restart as a workload changes, or undefined. */
export function restartOf(live: KubeObject, predicted: KubeObject): Restart | undefined {
  if (!restartingKinds.has(live.kind) || isManual(predicted)) return undefined;
  const [before, after] = [live, predicted].map((object) => (object as Workload).spec.template);
  const fields = changedFields(before, after);
  const pods = podCount(live as Workload);
  if (fields.length === 0 || pods === 0) return undefined;
  const reasons = [...new Set(fields.map(reasonOf))];
  // What a person looks for first.
  return { pods, reasons: [...reasons.filter(isImage), ...reasons.filter((reason) => !isImage(reason))] };
}

/** Whether somebody else decides when the pods are replaced. */
function isManual({ spec }: KubeObject): boolean {
  const { paused, updateStrategy } = spec as { paused?: boolean; updateStrategy?: { type?: string } };
  return paused === true || updateStrategy?.type === 'OnDelete';
}

function podCount({ kind, spec, status = {} }: Workload): number {
  return (kind === 'DaemonSet' ? status.desiredNumberScheduled : status.replicas) ?? spec.replicas ?? 0;
}

function isImage(reason: string): boolean {
  return reason.startsWith('image ');
}

/** Says a change of the template in a few words. The value of a variable is not told: it may be a password. */
function reasonOf({ path, before, after }: ChangedField): string {
  const at = path.findIndex((part, index) => part === 'env' && path[index - 1]?.startsWith('['));
  if (at >= 0 && path[at + 1] !== undefined) return `variable ${path[at + 1]?.slice(1, -1)}`;
  const [, second, annotation] = path;
  if (second === 'annotations' && annotation !== undefined && /checksum/i.test(annotation)) {
    return `its configuration (${annotation})`;
  }
  if (path.at(-1) === 'image') return `image ${String(before)} → ${String(after)}`;
  const name = pathName(path[0] === 'spec' ? path.slice(1) : path);
  const [from, to] = [before, after].map(shortValue);
  return from === undefined || to === undefined || path[at] === 'env' ? name : `${name} ${from} → ${to}`;
}

function shortValue(value: unknown): string | undefined {
  if (value === undefined) return 'none';
  const text = typeof value === 'object' ? '' : String(value);
  return text === '' || text.length > maxValueLength ? undefined : text;
}

/** A field that differs; one of the two is undefined where it comes or goes. */
interface ChangedField {
  /** Items of a list that have names are named, as in ['containers', '[api]', 'image']. */
  path: readonly string[];
  before: unknown;
  after: unknown;
}

/** The innermost fields in which two values differ, in the order of the first, then of the second. */
export function changedFields(before: unknown, after: unknown, path: readonly string[] = []): ChangedField[] {
  if (isDeepStrictEqual(before, after)) return [];
  const [one, two] = [entriesOf(before), entriesOf(after)];
  if (!one || !two) return [{ path, before, after }];
  return [...new Set([...one.keys(), ...two.keys()])].flatMap((key) =>
    changedFields(one.get(key), two.get(key), [...path, key]),
  );
}

/** `containers[api].image`, `metadata.annotations.checksum/config`. */
export function pathName(path: readonly string[]): string {
  return path.join('.').replaceAll('.[', '[');
}

function entriesOf(value: unknown): Map<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!Array.isArray(value)) return new Map(Object.entries(value));
  const names = value.map((item) => (item as { name?: unknown } | null)?.name);
  const named = names.every((name) => typeof name === 'string') && new Set(names).size === names.length;
  return new Map(value.map((item, index) => [`[${named ? names[index] : index}]`, item]));
}
