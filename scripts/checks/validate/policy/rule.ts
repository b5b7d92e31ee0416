import type { Located } from '../../../repository/rendering/finding.ts';
import type { FieldPath } from '../../../repository/yaml.ts';

/** A place that breaks a rule, and what stands there. */
export interface RuleViolation {
  path: FieldPath;
  message: string;
  /** Where the rule's own remedy does not say it all. */
  remedy?: string;
}

interface RuleBase {
  id: string;
  /** One sentence, for `npm run validate -- --rules`. */
  demands: string;
  remedy: string;
}

/** A rule for the pods of a workload. */
export interface PodRule extends RuleBase {
  faults(pod: RenderedPod): RuleViolation[];
}

/** A rule for each container of a pod, which may be exempt by its name. */
export interface ContainerRule extends RuleBase {
  fault(container: RenderedContainer, pod: RenderedPod): RuleViolation | undefined;
}

/** A rule for objects of some kinds, or of all if none is named. `all` are those that stand in the cluster with them. */
export interface ObjectRule extends RuleBase {
  kinds: readonly string[];
  faults(located: Located, all: readonly Located[]): RuleViolation[];
}

// biome-ignore lint/suspicious/noExplicitAny: manifests are read as they come; the schemas hold them to their types.
export type Fields = any;

/** The pods that an object makes, or is. */
export interface RenderedPod {
  located: Located;
  /** Of a template: labels and annotations. */
  metadata: Fields;
  spec: Fields;
  /** Where the spec stands in the object. */
  path: FieldPath;
  containers: RenderedContainer[];
}

export interface RenderedContainer {
  name: string;
  fields: Fields;
  path: FieldPath;
  /** Runs beside the others, and not before them. */
  stays: boolean;
}

const templates: Record<string, FieldPath> = {
  Pod: [],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
};

/** The pods of every object that has some. */
export function renderedPods(objects: readonly Located[]): RenderedPod[] {
  return objects.flatMap((located) => {
    const above = templates[located.object.kind] ?? ['spec', 'template'];
    const template = at(located.object, above);
    const spec = template?.spec;
    if (!Array.isArray(spec?.containers)) return [];
    const path = [...above, 'spec'];
    const containers = [...containersOf(spec, path, 'initContainers'), ...containersOf(spec, path, 'containers')];
    return [{ located, metadata: template.metadata ?? {}, spec, path, containers }];
  });
}

function containersOf(spec: Fields, path: FieldPath, list: 'initContainers' | 'containers'): RenderedContainer[] {
  const all: Fields[] = Array.isArray(spec[list]) ? spec[list] : [];
  return all.map((fields, i) => ({
    name: fields?.name ?? String(i),
    fields: fields ?? {},
    path: [...path, list, i],
    stays: list === 'containers',
  }));
}

/** The value at a path inside an object, or undefined where the path ends early. */
export function at(value: unknown, path: FieldPath): Fields {
  return path.reduce<Fields>((inner, key) => inner?.[key], value);
}

/** The faults of the containers that stay for as long as the pod does. */
export function faultsOfContainers<T>(pod: RenderedPod, fault: (container: RenderedContainer) => T | undefined): T[] {
  return pod.containers.filter(({ stays }) => stays).flatMap((container) => fault(container) ?? []);
}

/** The items of a list that may be missing. */
export function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map((item) => item ?? {}) : [];
}
