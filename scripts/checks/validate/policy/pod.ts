import type { Located } from '../../../repository/rendering/finding.ts';
import type { FieldPath } from '../../../repository/yaml.ts';

// biome-ignore lint/suspicious/noExplicitAny: manifests are read as they come; the schemas hold them to their types.
export type Fields = any;

/** The pods that an object makes, or is. */
export interface Pod {
  located: Located;
  /** Of a template: labels and annotations. */
  metadata: Fields;
  spec: Fields;
  /** Where the spec stands in the object. */
  path: FieldPath;
  containers: Container[];
}

export interface Container {
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
export function podsOf(objects: readonly Located[]): Pod[] {
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

function containersOf(spec: Fields, path: FieldPath, list: 'initContainers' | 'containers'): Container[] {
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
export function eachOf<T>(pod: Pod, fault: (container: Container) => T | undefined): T[] {
  return pod.containers.filter(({ stays }) => stays).flatMap((container) => fault(container) ?? []);
}

/** The items of a list that may be missing. */
export function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map((item) => item ?? {}) : [];
}
