import { type Finding, findingAt, type Located } from '../../repository/rendering/finding.ts';
import type { Chart } from '../../repository/rendering/helm.ts';
import type { ValidationCheck } from '../../repository/rendering/repository.ts';
import type { FieldPath } from '../../repository/yaml.ts';
import { type Fields, listOf } from './objects/rule.ts';
import { checkKinds } from './project.ts';

/** What Argo CD is told to deploy: it would report most of these only once it runs, and some never. */
export const validateApplications: ValidationCheck = {
  name: 'applications',
  title: 'every chart has its Application',
  rules: {
    'application-path': 'An Application points at the folder of a chart, from the top of the repository.',
    'application-values': 'The values files that an Application names exist, values.yaml first.',
    'application-chart': 'Every chart of a service has exactly one Application.',
    'application-name': 'An Application and its release are called as the chart, and it lives in the namespace argocd.',
    'application-revision': 'An Application says which branch or tag it follows.',
    'application-project': 'The AppProject of an Application exists; it is not `default`, which allows everything.',
    'project-repository': 'The AppProject allows the repository of each of its Applications.',
    'project-destination': 'The AppProject allows the cluster and the namespace of each of its Applications.',
    'project-allows-kinds': 'The AppProject allows exactly the kinds that the charts can render.',
    'application-automated': 'Argo CD syncs automatically, prunes and self-heals.',
    'application-retry': 'A failed sync is tried again, a limited number of times and each time later.',
    'application-sync-options': 'The syncOptions are ServerSideApply, ApplyOutOfSyncOnly and PruneLast.',
    'application-finalizer': 'Deleting an Application deletes what it deployed.',
  },
  async run(repository) {
    const manifests = (await repository.manifests()).filter(({ file }) => file.startsWith('argocd/'));
    const applications = manifests.filter(({ object }) => object.kind === 'Application');
    const projects = manifests.filter(({ object }) => object.kind === 'AppProject');
    const charts = await repository.charts();
    const files = new Set(await repository.files('helm'));
    const paths = applications.map(({ object }) => (object.spec as Fields)?.source?.path);
    return [
      ...applications.flatMap((application, index) => {
        const twin = applications[paths.indexOf(paths[index])];
        return [
          ...checkSource(application, twin === application ? undefined : twin, charts, files),
          ...checkProject(application, projects),
          ...checkSync(application),
        ].map(([rule, path, message, remedy]) => findingAt(application, rule, path, message, remedy));
      }),
      ...charts
        .filter(
          ({ name, folder }) =>
            !applications.some(({ object }, i) => paths[i] === folder || object.metadata.name === name),
        )
        .map(
          ({ name, folder }): Finding => ({
            rule: 'application-chart',
            file: `${folder}/Chart.yaml`,
            message: `No Application deploys the chart ${name}.`,
            remedy: `Add argocd/${name}.yaml, like those beside it.`,
          }),
        ),
      ...(await checkKinds(repository, projects)),
    ];
  },
};

/** A rule that is broken, where, how, and what to do about it. */
type Fault = [rule: string, path: FieldPath, message: string, remedy: string];

/** What an Application says of its chart, held against the chart. */
function* checkSource(
  { object }: Located,
  twin: Located | undefined,
  charts: readonly Chart[],
  files: ReadonlySet<string>,
): Iterable<Fault> {
  const source: Fields = (object.spec as Fields)?.source ?? {};
  const at = ['spec', 'source'];
  if (twin !== undefined) {
    const message = `${twin.object.metadata.name} deploys ${source.path} already.`;
    yield ['application-chart', [...at, 'path'], message, 'Remove one of the two.'];
  }
  if (!source.targetRevision) {
    const message = 'it does not say what it follows, so it would be HEAD, whatever that is.';
    yield ['application-revision', at, message, 'Add targetRevision, such as main.'];
  }
  const chart = charts.find(({ folder }) => folder === source.path);
  if (chart === undefined) {
    const remedy = `Write the folder of a chart: ${charts.map(({ folder }) => folder).join(', ')}.`;
    yield [
      'application-path',
      [...at, 'path'],
      `${source.path ?? 'nothing'} is not a folder with a Chart.yaml.`,
      remedy,
    ];
    return;
  }
  const { name, namespace } = object.metadata;
  const { releaseName, valueFiles } = source.helm ?? {};
  const write = `Write ${chart.name}.`;
  if (name !== chart.name)
    yield ['application-name', ['metadata', 'name'], `its chart is called ${chart.name}.`, write];
  if (namespace !== 'argocd') {
    const message = 'Argo CD reads Applications in its own namespace only.';
    yield ['application-name', ['metadata', 'namespace'], message, 'Write argocd.'];
  }
  if (releaseName !== chart.name) {
    const message = `the release is ${releaseName ?? 'not named'}, and all objects are called ${chart.name}.`;
    yield ['application-name', [...at, 'helm', 'releaseName'], message, write];
  }
  const path = [...at, 'helm', 'valueFiles'];
  for (const [index, file] of listOf(valueFiles).entries()) {
    if (files.has(`${chart.folder}/${file}`)) continue;
    yield ['application-values', [...path, index], `${chart.folder}/${file} does not exist.`, 'Correct the name.'];
  }
  if (listOf(valueFiles)[0] !== 'values.yaml') {
    const remedy = 'List values.yaml, then the file of the environment.';
    yield ['application-values', path, 'values.yaml has to come first: the later file wins.', remedy];
  }
}

/** Whether an Application's AppProject lets it do what it is there for. Argo CD says so only when it tries. */
function* checkProject({ object }: Located, projects: readonly Located[]): Iterable<Fault> {
  const { project: name, source, destination } = (object.spec ?? {}) as Fields;
  const project = projects.find((each) => each.object.metadata.name === name);
  if (project === undefined) {
    const known = projects.map((each) => each.object.metadata.name).join(', ');
    const message = `argocd/ has no AppProject ${name ?? ''}.`;
    yield ['application-project', ['spec', 'project'], message, `Write ${known || 'the name of one'}.`];
    return;
  }
  const { sourceRepos, destinations } = (project.object.spec ?? {}) as Fields;
  if (!listOf(sourceRepos).some((allowed) => matchesPattern(allowed, source?.repoURL))) {
    const message = `the project ${name} does not allow ${source?.repoURL ?? 'an Application without repoURL'}.`;
    const remedy = `Correct the address, or add it to sourceRepos in ${project.file}.`;
    yield ['project-repository', ['spec', 'source', 'repoURL'], message, remedy];
  }
  const { namespace, server, name: cluster } = destination ?? {};
  const isAllowed = listOf(destinations).some(
    (allowed) =>
      matchesPattern(allowed.namespace, namespace) &&
      (matchesPattern(allowed.server, server) || matchesPattern(allowed.name, cluster)),
  );
  if (!isAllowed) {
    const where = `${namespace ?? 'no namespace'} on ${server ?? cluster ?? 'no cluster'}`;
    const remedy = `Correct the destination, or add it to destinations in ${project.file}.`;
    yield ['project-destination', ['spec', 'destination'], `the project ${name} does not allow ${where}.`, remedy];
  }
}

/** As Argo CD reads a pattern of a project: `*` stands for any text. Nothing matches what isn't stated. */
function matchesPattern(pattern: unknown, value: string | undefined): boolean {
  if (typeof pattern !== 'string' || value === undefined) return false;
  const source = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${source}$`).test(value);
}

const finalizer = 'resources-finalizer.argocd.argoproj.io';

/** Whether Argo CD syncs, self-heals, retries and prunes automatically. */
function* checkSync({ object: { metadata, spec } }: Located): Iterable<Fault> {
  const { automated, retry, syncOptions } = (spec as Fields)?.syncPolicy ?? {};
  const at = ['spec', 'syncPolicy'];
  if (!listOf(metadata.finalizers).some((each) => each === finalizer || String(each).startsWith(`${finalizer}/`))) {
    const message = 'without the finalizer of Argo CD what it deployed outlives it, unowned.';
    yield ['application-finalizer', ['metadata', 'finalizers'], message, `Add ${finalizer}.`];
  }
  if (!automated || automated.enabled === false) {
    const remedy = 'Add automated with prune: true and selfHeal: true.';
    yield ['application-automated', [...at, 'automated'], 'a commit would wait until you press Sync.', remedy];
  } else {
    for (const [field, what] of Object.entries({ prune: 'what disappears from Git', selfHeal: 'changes by hand' })) {
      if (automated[field] === true) continue;
      const message = `${what} would stay in the cluster.`;
      yield ['application-automated', [...at, 'automated', field], message, `Write ${field}: true.`];
    }
  }
  const { limit, backoff } = retry ?? {};
  if (!(limit >= 1)) {
    const message = 'a sync that fails for a passing reason has to be tried again, a limited number of times.';
    yield ['application-retry', [...at, 'retry', 'limit'], message, 'Write a number above 0, such as 5.'];
  }
  if (!backoff?.duration || !backoff.maxDuration || !(backoff.factor > 1)) {
    const message = 'the wait has to grow from one try to the next, up to a maximum.';
    const remedy = 'State duration, a factor above 1, and maxDuration.';
    yield ['application-retry', [...at, 'retry', 'backoff'], message, remedy];
  }
  for (const option of ['ServerSideApply=true', 'ApplyOutOfSyncOnly=true', 'PruneLast=true']) {
    if (listOf(syncOptions).includes(option)) continue;
    yield ['application-sync-options', [...at, 'syncOptions'], `${option} is missing.`, `Add ${option}.`];
  }
}
