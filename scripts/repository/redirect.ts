import { posix } from 'node:path';
import type { Environment } from '../config/settings.ts';
import { groupOf, type KubeObject } from '../kubernetes/objects.ts';
import {
  type Application,
  applicationApi,
  type HelmParameter,
  isRepositoryFile,
  localValueFile,
  normalPath,
  type Source,
  valuesPath,
  withoutZeros,
} from './applications.ts';
import { textsIn } from './yaml.ts';

/** Where this cluster has this repository from, in place of its address in `argocd/`. */
export interface Redirection {
  isOurs(url: string): boolean;
  repoURL: string;
  targetRevision: string;
  /** Where the repository's files lie below the top of its checkout: '' or 'some/folder/'. */
  prefix: string;
  environment: Environment;
  /** What the chart of an Application has to know of this machine, by the Application's name. */
  parameters: ReadonlyMap<string, readonly HelmParameter[]>;
}

/**
 * An object of `argocd/` as this cluster registers it: what points at this repository has another address, revision and values
 * than in production. All else stays as it is written.
 */
export function redirect(object: KubeObject, to: Redirection): KubeObject {
  if (groupOf(object.apiVersion) !== groupOf(applicationApi)) return object;
  const spec = (object.spec ?? {}) as Record<string, unknown>;
  if (object.kind === 'AppProject') return { ...object, spec: redirectProject(spec, to) };
  if (object.kind === 'Application')
    return { ...object, spec: redirectApplication(spec, to, to.parameters.get(object.metadata.name)) };
  if (object.kind !== 'ApplicationSet') return object;
  const template = (spec.template ?? {}) as { spec?: Application['spec'] };
  const generators = redirectGenerators(spec.generators, to);
  return {
    ...object,
    spec: { ...spec, generators, template: { ...template, spec: redirectApplication(template.spec ?? {}, to) } },
  };
}

/** A project that allows this repository, in whatever words, allows its address here. */
function redirectProject(spec: Record<string, unknown>, { isOurs, repoURL }: Redirection) {
  const repositories = textsIn(spec.sourceRepos);
  const others = repositories.filter((url) => !isOurs(url));
  // A pattern may mean this repository as well: `*`, or all of an owner.
  const allows = (url: string) => isOurs(url) || (url.includes('*') && !url.startsWith('!'));
  return !repositories.some(allows) ? spec : { ...spec, sourceRepos: [repoURL, ...others] };
}

function redirectApplication(
  spec: Application['spec'],
  to: Redirection,
  parameters?: readonly HelmParameter[],
): Application['spec'] {
  const { source, sources } = spec;
  // Left in, what the controller takes out would be another change at every `up`.
  return withoutZeros({
    ...spec,
    ...(source && { source: redirectSource(source, to, parameters) }),
    ...(sources && { sources: sources.map((one) => redirectSource(one, to, parameters)) }),
  });
}

function redirectSource(source: Source, to: Redirection, parameters: readonly HelmParameter[] = []): Source {
  const { path, helm } = source;
  if (!to.isOurs(source.repoURL) || source.chart !== undefined) return source;
  const valueFiles = helm?.valueFiles?.map((file) => redirectValues(path ?? '.', file, to));
  return {
    ...source,
    repoURL: to.repoURL,
    targetRevision: to.targetRevision,
    ...(path !== undefined && { path: pathBelow(path, to) }),
    ...(helm && { helm: { ...helm, ...(valueFiles && { valueFiles }), ...withParameters(helm, parameters) } }),
  };
}

/** The last one of a name counts, so those of this machine come last. */
function withParameters(helm: NonNullable<Source['helm']>, added: readonly HelmParameter[]) {
  return added.length === 0 ? {} : { parameters: [...(helm.parameters ?? []), ...added] };
}

/** A values file of the chart at `path`: that of the environment, and from the top of the checkout where it begins with a slash. */
function redirectValues(path: string, file: string, { prefix, environment }: Redirection): string {
  if (!isRepositoryFile(file)) return file;
  const chart = path.includes('{{') ? '.' : normalPath(path);
  const written = valuesPath(chart, file);
  const local = localValueFile(chart, written, environment);
  if (posix.isAbsolute(file)) return `/${prefix}${local}`;
  return local === written ? file : posix.relative(chart, local);
}

/** A template gets its path from a generator, which has found it below the top already. */
function pathBelow(path: string, { prefix }: Redirection): string {
  return path.includes('{{') ? path : `${prefix}${normalPath(path)}`;
}

/** Generators may be nested: in a matrix, in a merge. */
function redirectGenerators(value: unknown, to: Redirection): unknown {
  if (Array.isArray(value)) return value.map((one) => redirectGenerators(one, to));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, one]) => [key, redirectGenerators(one, to)]);
  const generator = Object.fromEntries(entries) as Record<string, unknown>;
  if (typeof generator.repoURL !== 'string' || !to.isOurs(generator.repoURL)) return generator;
  const below = (list: unknown) =>
    Array.isArray(list) ? list.map((one: { path: string }) => ({ ...one, path: pathBelow(one.path, to) })) : list;
  const { directories, files } = generator;
  return {
    ...generator,
    repoURL: to.repoURL,
    revision: to.targetRevision,
    ...(directories !== undefined && { directories: below(directories) }),
    ...(files !== undefined && { files: below(files) }),
  };
}
