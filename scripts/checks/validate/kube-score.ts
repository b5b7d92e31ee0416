import { kubernetesVersion, nodeImage } from '../../config/versions.ts';
import { type Finding, findingAt, type Located, type Tools } from '../../repository/rendering/finding.ts';
import type { ValidationCheck } from '../../repository/rendering/repository.ts';
import { type Exemption, exemptions, isExempt } from './objects/exemptions.ts';
import { objectNamespace } from './objects/lookup.ts';
import { environments } from './objects/rule.ts';

/** Tests that kube-score leaves out unless it is asked. */
const switchedOn = ['container-ports-check'];

/** What is asked of the plain manifests too; the other tests are about services that run in several pods. */
const forManifests = new Set([
  'container-resources',
  'container-security-context-readonlyrootfilesystem',
  'deployment-pod-selector-labels-match-template-metadata-labels',
  'horizontalpodautoscaler-has-target',
  'ingress-targets-service',
  'networkpolicy-targets-pod',
  'service-targets-pod',
  'statefulset-pod-selector-labels-match-template-metadata-labels',
]);

/** Below this grade a test has something to say: 1 is critical, 5 a warning, 10 is well. */
const passingGrade = 10;

interface Scored {
  type_meta: { kind: string };
  object_meta: { name: string; namespace?: string };
  checks: {
    check: { id: string };
    grade: number;
    skipped: boolean;
    comments: { path: string; summary: string; description: string }[] | null;
  }[];
}

/** What kube-score finds: https://github.com/zegl/kube-score/blob/master/README_CHECKS.md */
export const validateKubeScore: ValidationCheck = {
  name: 'kube-score',
  title: 'kube-score finds nothing in the workloads',
  rules: {
    'kube-score':
      'Every test of kube-score passes, but those that scripts/checks/validate/objects/exemptions.ts names.',
  },
  run: async (repository, tools) => {
    const worlds = await environments(repository);
    return (await Promise.all(worlds.map((all) => score(all, tools)))).flat();
  },
};

/** Scores all objects of an environment at once, since its tests follow Services to pods and Ingresses to Services. */
export async function score(
  all: readonly Located[],
  { find, exec }: Tools,
  exempt: readonly Exemption[] = exemptions,
): Promise<Finding[]> {
  const { path } = await find('kube-score');
  // A ConfigMap has no test, and those of the dashboards are large.
  const scored = all.filter(({ object }) => object.kind !== 'ConfigMap' && object.metadata !== undefined);
  const named = scored.map((located) => {
    const { metadata, ...object } = located.object;
    const { namespace: _, ...rest } = metadata;
    const namespace = objectNamespace(located);
    return { ...object, metadata: { ...rest, ...(namespace !== undefined && { namespace }) } };
  });
  const version = kubernetesVersion(nodeImage).replace(/\.\d+$/, '');
  const optional = switchedOn.flatMap((test) => ['--enable-optional-test', test]);
  // Exit code 1 is also that of a finding.
  const { stdout } = await exec(
    [path, 'score', '--output-format', 'json', '--kubernetes-version', version, ...optional, '-'],
    { nothrow: true, input: named.map((object) => JSON.stringify(object)).join('\n---\n') },
  );
  const places = new Map(
    scored.map((located) => [
      key(located.object.kind, located.object.metadata.name, objectNamespace(located)),
      located,
    ]),
  );
  return (JSON.parse(stdout) as Scored[]).flatMap(
    ({ type_meta: { kind }, object_meta: { name, namespace }, checks }) => {
      const located = places.get(key(kind, name, namespace));
      return located === undefined ? [] : findings(located, checks, exempt);
    },
  );
}

function findings(located: Located, checks: Scored['checks'], exempt: readonly Exemption[]): Finding[] {
  return checks
    .filter(({ grade, skipped }) => !skipped && grade < passingGrade)
    .filter(({ check }) => located.rendering !== undefined || forManifests.has(check.id))
    .flatMap(({ check: { id }, comments }) =>
      (comments ?? [])
        .filter(({ summary }) => !isExempt(exempt, id, located, { comment: summary }))
        .map(({ path, summary, description }) => {
          const message = `${path === '' ? '' : `${path}: `}${summary} (${id}).`;
          const remedy = description.replaceAll(/\s+/g, ' ').trim();
          return findingAt(
            located,
            'kube-score',
            [],
            message,
            remedy || `See ${id} in the README_CHECKS.md of kube-score.`,
          );
        }),
    );
}

function key(kind: string, name: string, namespace = ''): string {
  return `${kind} ${namespace}/${name}`;
}
