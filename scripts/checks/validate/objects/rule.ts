import { type Finding, findingAt, type Located } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import type { FieldPath } from '../../../repository/yaml.ts';
import { type Exemption, exemptions, isExempt } from './exemptions.ts';

/** What breaks a rule: where, which way, and what to do about it, or what does that. */
export type Fault = readonly [rule: string, path: FieldPath, message: string, remedy: string, fix?: Finding['fix']];

/** @returns the findings about an object. */
export function findingsAt(located: Located, faults: Iterable<Fault>): Finding[] {
  return Array.from(faults, ([rule, path, message, remedy]) => findingAt(located, rule, path, message, remedy));
}

/** A place that breaks a rule, and what stands there. */
export type Violation = readonly [path: FieldPath, message: string];

/**
 * What objects have to keep to. A rule looks at each object, or at each pod that an object makes, or at each container of a
 * pod, those that run before the others included; its paths begin there. `all` are the objects that are in the cluster together.
 */
export interface ObjectRule {
  id: string;
  /** One sentence, for `npm run validate -- --rules`. */
  demands: string;
  remedy: string;
  /** Those that it is for; all if there is no list. */
  kinds?: readonly string[];
  object?(located: Located, all: readonly Located[]): Iterable<Violation>;
  pod?(pod: RenderedPod, all: readonly Located[]): Iterable<Violation>;
  container?(container: Fields, pod: RenderedPod): Violation | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: manifests are read as they come; the schemas hold them to their types.
export type Fields = any;

/** A pod that an object makes, or is. */
export interface RenderedPod {
  located: Located;
  labels: Record<string, string>;
  spec: Fields;
  /** Where the spec stands in the object. */
  path: FieldPath;
  containers: { name: string; fields: Fields; path: FieldPath }[];
}

/** The rules as `npm run validate -- --rules` lists them. */
export function sentences(rules: readonly ObjectRule[]): Record<string, string> {
  return Object.fromEntries(rules.map(({ id, demands }) => [id, demands]));
}

/** Holds every object against the rules, together with what is in the cluster beside it. */
export async function checkObjects(
  repository: Repository,
  rules: readonly ObjectRule[],
  exempt: readonly Exemption[] = exemptions,
): Promise<Finding[]> {
  const worlds = await environments(repository);
  return worlds.flatMap((all) =>
    all.flatMap((located) =>
      rules
        .filter(({ kinds }) => kinds?.includes(located.object.kind) ?? true)
        .flatMap((rule) =>
          violations(rule, located, all)
            .filter(({ container }) => !isExempt(exempt, rule.id, located, { container }))
            .map(({ path, message }) => findingAt(located, rule.id, path, message, rule.remedy)),
        ),
    ),
  );
}

/** Those of an object; of a container with its name, by which it can be exempt. */
function violations(
  { object, pod: inPod, container: inContainer }: ObjectRule,
  located: Located,
  all: readonly Located[],
): { path: FieldPath; message: string; container?: string }[] {
  const own = Array.from(object?.(located, all) ?? [], ([path, message]) => ({ path, message }));
  const ofPods = renderedPods([located]).flatMap((pod) => [
    ...Array.from(inPod?.(pod, all) ?? [], ([path, message]) => ({ path: [...pod.path, ...path], message })),
    ...pod.containers.flatMap(({ name, fields, path }) => {
      const [inner, message = ''] = inContainer?.(fields, pod) ?? [];
      return inner === undefined ? [] : [{ path: [...path, ...inner], message, container: name }];
    }),
  ]);
  return [...own, ...ofPods];
}

/**
 * @returns for each choice of values everything that is in the cluster then: the plain manifests, and what all charts render
 * with it, since a service may name another one.
 */
export async function environments(repository: Repository): Promise<Located[][]> {
  const [plain, renderings, charts] = await Promise.all([
    repository.manifests(),
    repository.renderings(),
    repository.charts(),
  ]);
  return [...new Set(['values.yaml', ...renderings.map(({ values }) => values)])].map((values) => [
    ...plain,
    ...charts.flatMap(({ name }) => {
      const own = renderings.filter(({ chart }) => chart.name === name);
      return (
        (own.find((one) => one.values === values) ?? own.find((one) => one.values === 'values.yaml'))?.objects ?? []
      );
    }),
  ]);
}

const templates: Record<string, FieldPath> = {
  Pod: [],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
};

/** @returns the pods of every object that has some. */
export function renderedPods(objects: readonly Located[]): RenderedPod[] {
  return objects.flatMap((located) => {
    const above = templates[located.object.kind] ?? ['spec', 'template'];
    const template = above.reduce<Fields>((inner, key) => inner?.[key], located.object);
    if (!Array.isArray(template?.spec?.containers)) return [];
    const { metadata, spec } = template;
    const path = [...above, 'spec'];
    const containers = ['initContainers', 'containers'].flatMap((list) =>
      listOf(spec[list]).map((fields, i) => ({ name: fields.name ?? String(i), fields, path: [...path, list, i] })),
    );
    return [{ located, labels: metadata?.labels ?? {}, spec, path, containers }];
  });
}

/** @returns the items of a list that may be missing. */
export function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map((item) => item ?? {}) : [];
}
