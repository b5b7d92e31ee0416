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
    return { ...object, metadata: { ...metadata, namespace: objectNamespace(located) } };
  });
  const version = kubernetesVersion(nodeImage).replace(/\.\d+$/, '');
  const optional = switchedOn.flatMap((test) => ['--enable-optional-test', test]);
  // Exit code 1 is also that of a finding.
  const { stdout } = await exec(
    [path, 'score', '--output-format', 'json', '--kubernetes-version', version, ...optional, '-'],
    { nothrow: true, input: named.map((object) => JSON.stringify(object)).join('\n---\n') },
  );
  return (JSON.parse(stdout) as Scored[]).flatMap(({ type_meta, object_meta, checks }) => {
    const located = scored.find(
      (one) =>
        one.object.kind === type_meta.kind &&
        one.object.metadata.name === object_meta.name &&
        objectNamespace(one) === object_meta.namespace,
    );
    return located === undefined ? [] : findings(located, checks, exempt);
  });
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
          const remedy =
            description.replaceAll(/\s+/g, ' ').trim() || `See ${id} in the README_CHECKS.md of kube-score.`;
          return findingAt(located, 'kube-score', [], message, remedy);
        }),
    );
}
