import { type Finding, findingAt, type Located } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import type { FieldPath } from '../../../repository/yaml.ts';
import { type Exemption, exemptions, isExempt } from './exemptions.ts';

/** A place that breaks a rule, and what stands there. */
export interface Violation {
  path: FieldPath;
  message: string;
  /** Where the rule's own remedy does not say it all. */
  remedy?: string;
  /** Of a container: its name, by which it can be exempt. */
  container?: string;
}

/** What objects have to keep to. `all` are those that are in the cluster together with the one that is looked at. */
export interface ObjectRule {
  id: string;
  /** One sentence, for `npm run validate -- --rules`. */
  demands: string;
  remedy: string;
  /** Those that it is for; all if there is no list. */
  kinds?: readonly string[];
  violations(located: Located, all: readonly Located[]): Iterable<Violation>;
}

// biome-ignore lint/suspicious/noExplicitAny: manifests are read as they come; the schemas hold them to their types.
export type Fields = any;

/** The pods that an object makes, or is. */
export interface RenderedPod {
  located: Located;
  labels: Record<string, string>;
  spec: Fields;
  /** Where the spec stands in the object. */
  path: FieldPath;
  containers: RenderedContainer[];
}

interface RenderedContainer {
  name: string;
  fields: Fields;
  path: FieldPath;
}

/** A rule for whatever makes pods. */
export function podRule({
  violations,
  ...rule
}: Omit<ObjectRule, 'violations'> & {
  violations(pod: RenderedPod, all: readonly Located[]): Iterable<Violation>;
}): ObjectRule {
  return { ...rule, violations: (located, all) => renderedPods([located]).flatMap((pod) => [...violations(pod, all)]) };
}

/** A rule for each container of a pod, those that run before the others included. */
export function containerRule({
  violation,
  ...rule
}: Omit<ObjectRule, 'violations'> & {
  violation(fields: Fields, path: FieldPath, pod: RenderedPod): Violation | undefined;
}): ObjectRule {
  return podRule({
    ...rule,
    violations: (pod) =>
      pod.containers.flatMap(({ name, fields, path }) => {
        const found = violation(fields, path, pod);
        return found === undefined ? [] : [{ ...found, container: name }];
      }),
  });
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
          [...rule.violations(located, all)]
            .filter(({ container }) => !isExempt(exempt, rule.id, located, { container }))
            .map(({ path, message, remedy = rule.remedy }) => findingAt(located, rule.id, path, message, remedy)),
        ),
    ),
  );
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
