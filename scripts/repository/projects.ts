import type { KubeObject } from '../kubernetes/objects.ts';
import { type Application, applicationSources } from './applications.ts';
import { type FieldPath, mapIn, mapsIn, textsIn } from './yaml.ts';

/** What an AppProject does not let an Application do, where the Application says it, and the line that allows it. */
export interface ProjectRefusal {
  about: 'repository' | 'destination';
  path: FieldPath;
  what: string;
  /** What to add, and to which field of the project. */
  allow: string;
}

/** What the project refuses of an Application's sources and destination: Argo CD says so only when it tries. */
export function projectRefusals({ spec }: Application, project: KubeObject): ProjectRefusal[] {
  const { sourceRepos, destinations } = mapIn<{ sourceRepos: unknown; destinations: unknown }>(project.spec);
  const repositories = textsIn(sourceRepos);
  const refused = applicationSources({ spec }).flatMap(({ repoURL }, index): ProjectRefusal[] => {
    if (isPermitted(repositories.map(normal), normal(repoURL))) return [];
    const at = spec.sources?.length ? ['sources', index] : ['source'];
    const what = repoURL ?? 'an Application without repoURL';
    return [
      { about: 'repository', path: ['spec', ...at, 'repoURL'], what, allow: `"- ${repoURL}" to spec.sourceRepos` },
    ];
  });
  const { namespace, server, name } = spec.destination ?? {};
  const cluster = name === 'in-cluster' ? localServer : server;
  const rules = mapsIn<Record<string, unknown>>(destinations);
  const isAllowed = rules.some(
    (rule) =>
      matchesPattern(rule.namespace, namespace) &&
      (matchesPattern(rule.server, cluster) || matchesPattern(rule.name, name)) &&
      !rules.some((other) => isDenied(other, namespace, cluster)),
  );
  if (isAllowed) return refused;
  const where = server ?? name;
  const entry = [
    ...(server || !name ? [`server: ${server ?? localServer}`] : [`name: ${name}`]),
    `namespace: ${namespace}`,
  ];
  return [
    ...refused,
    {
      about: 'destination',
      path: ['spec', 'destination'],
      what: `${namespace ?? 'no namespace'} on ${where ?? 'no cluster'}`,
      allow: `"- {${entry.join(', ')}}" to spec.destinations`,
    },
  ];
}

const localServer = 'https://kubernetes.default.svc';

/** As Argo CD compares addresses: without case and `.git`. */
function normal(url: string | undefined): string | undefined {
  return url?.toLowerCase().replace(/\.git$/, '');
}

/** A pattern behind a `!` forbids what another one allows. */
function isPermitted(patterns: readonly (string | undefined)[], value: string | undefined): boolean {
  const isForbidden = patterns.some((one) => one?.startsWith('!') && matchesPattern(one.slice(1), value));
  return !isForbidden && patterns.some((one) => matchesPattern(one, value));
}

function isDenied(rule: Record<string, unknown>, namespace: string | undefined, server: string | undefined): boolean {
  const denies = (pattern: unknown, value: string | undefined) =>
    typeof pattern === 'string' && pattern.startsWith('!') && matchesPattern(pattern.slice(1), value);
  return denies(rule.namespace, namespace) || denies(rule.server, server);
}

/** As Argo CD reads a pattern of a project: `*` stands for any text. Nothing matches what isn't stated. */
function matchesPattern(pattern: unknown, value: string | undefined): boolean {
  if (typeof pattern !== 'string' || value === undefined) return false;
  const source = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${source}$`).test(value);
}
