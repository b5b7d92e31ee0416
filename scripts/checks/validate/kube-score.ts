import { kubernetesVersion, nodeImage } from '../../config/versions.ts';
import type { Finding, Tools, ValidationCheck } from '../../repository/rendering/finding.ts';
import type { Rendering } from '../../repository/rendering/helm.ts';

/** Tests of kube-score that don't hold here, each with its reason. */
const switchedOff: readonly { test: string; kind?: string; values?: string; because: string }[] = [
  { test: 'container-image-pull-policy', because: 'a tag is a commit or a version: one image for good' },
  {
    test: 'pod-probes-identical',
    because: 'it compares the requests only; service-probes holds the times against each other',
  },
  {
    test: 'deployment-has-host-podantiaffinity',
    because: 'topology spread constraints do that, without its drawbacks',
  },
  { test: 'pod-networkpolicy', kind: 'Pod', because: 'the pod of helm test asks a service, once' },
  { test: 'horizontalpodautoscaler-replicas', values: 'values-dev.yaml', because: 'a laptop runs one pod of each' },
];

/** Tests that kube-score leaves out unless it is asked. */
const switchedOn = ['container-seccomp-profile', 'container-ports-check'];

/** Below this grade a test has something to say: 1 is critical, 5 a warning, 10 is well. */
const passingGrade = 10;

interface Scored {
  type_meta: { kind: string };
  object_meta: { name: string };
  file_name: string;
  checks: {
    check: { id: string };
    grade: number;
    skipped: boolean;
    comments: { path: string; summary: string; description: string }[] | null;
  }[];
}

/** What kube-score finds in the services: https://github.com/zegl/kube-score/blob/master/README_CHECKS.md */
export const validateKubeScore: ValidationCheck = {
  name: 'kube-score',
  title: 'kube-score has nothing against the services',
  rules: {
    'kube-score': 'Every test of kube-score passes, but those that scripts/checks/validate/kube-score.ts names.',
  },
  async run(repository, tools) {
    const renderings = (await repository.renderings()).filter(({ refusal, known }) => refusal === undefined && !known);
    return (await Promise.all(renderings.map((rendering) => score(rendering, tools)))).flat();
  },
};

async function score(rendering: Rendering, { find, exec }: Tools): Promise<Finding[]> {
  const { path } = await find('kube-score');
  const version = kubernetesVersion(nodeImage).replace(/\.\d+$/, '');
  const options = ['--output-format', 'json', '--kubernetes-version', version];
  const optional = switchedOn.flatMap((test) => ['--enable-optional-test', test]);
  // Exit code 1 is also that of a finding.
  const { stdout } = await exec([path, 'score', ...options, ...optional, '-'], {
    nothrow: true,
    input: rendering.yaml,
  });
  return (JSON.parse(stdout) as Scored[]).flatMap((scored) => findingsOf(scored, rendering));
}

function findingsOf({ type_meta, object_meta, file_name, checks }: Scored, rendering: Rendering): Finding[] {
  const { chart, values } = rendering;
  const { kind } = type_meta;
  const failed = checks.filter(
    ({ grade, skipped, check }) => !skipped && grade < passingGrade && !isOff(check.id, kind, values),
  );
  return failed.flatMap(({ check, comments }) =>
    (comments ?? []).map(({ path, summary, description }) => ({
      rule: 'kube-score',
      file: `${chart.folder}/${file_name.replace(/^[^/]+\//, '')}`,
      message: `${kind} ${object_meta.name}${path === '' ? '' : `, ${path}`}: ${summary} (${check.id}).`,
      remedy: description.replaceAll(/\s+/g, ' ').trim() || 'See the test in the README_CHECKS.md of kube-score.',
      renderings: [values],
    })),
  );
}

function isOff(test: string, kind: string, values: string): boolean {
  return switchedOff.some(
    (off) =>
      off.test === test &&
      (off.kind === undefined || off.kind === kind) &&
      (off.values === undefined || off.values === values),
  );
}
