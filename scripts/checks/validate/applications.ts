import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import {
  type Application,
  applicationSources,
  argocdNamespace,
  type ChartSource,
  isRepositoryFile,
} from '../../repository/applications.ts';
import { projectRefusals } from '../../repository/projects.ts';
import {
  chartSource,
  hasShape,
  isApplication,
  ownRepository,
  registrationsFolder,
  repositoriesIn,
  sourceFaults,
} from '../../repository/registrations.ts';
import type { Located } from '../../repository/rendering/finding.ts';
import type { Chart } from '../../repository/rendering/helm.ts';
import type { ValidationCheck } from '../../repository/rendering/repository.ts';
import { type Fault, type Fields, findingsAt, listOf } from './objects/rule.ts';
import { checkKinds } from './project-kinds.ts';
import { checkRoot } from './root-application.ts';

/** What Argo CD is told to deploy: it would report most of these only once it runs, and some never. */
export const validateApplications: ValidationCheck = {
  name: 'applications',
  title: 'every chart has its Application',
  rules: {
    'application-file': 'The manifests of argocd/ lie in the folder itself, since no subfolder is registered.',
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
    'application-finalizer':
      'Deleting an Application deletes what it deployed, and waits for that; an AppProject has no finalizer.',
    'root-application':
      'What deploys argocd/ in production deletes nothing, and its own AppProject allows all kinds there.',
  },
  async run(repository, { exec }) {
    const all = (await repository.manifests()).filter(({ file }) => file.startsWith(`${registrationsFolder}/`));
    const misplaced = all.filter(({ file }) => posix.dirname(file) !== registrationsFolder);
    const manifests = all.filter((one) => !misplaced.includes(one));
    // What the others lack, their schema says.
    const applications = manifests.filter(({ object }) => isApplication(object) && hasShape(object));
    const projects = manifests.filter(({ object }) => object.kind === 'AppProject');
    const charts = await repository.charts();
    const place = { exec, config: { root: repository.root, gitops: undefined } };
    const isOurs = await ownRepository(place, repositoriesIn(applications.map(({ object }) => object)));
    const sources = applications.map(({ object }) => chartSource(repository.root, object as Application, isOurs));
    const isDeployed = ({ name, folder }: Chart) =>
      applications.some(({ object }, i) => sources[i]?.path === folder || object.metadata.name === name);
    return [
      ...misplaced.flatMap((one) => {
        const message = `only the files of ${registrationsFolder}/ itself are registered, and this one is in a subfolder.`;
        return findingsAt(one, [['application-file', [], message, `git mv ${one.file} ${registrationsFolder}/`]]);
      }),
      ...applications.flatMap((application, index) => {
        const source = sources[index];
        const twin = applications[sources.findIndex((one) => source !== undefined && one?.path === source.path)];
        return findingsAt(application, [
          ...checkSources(application),
          ...(source
            ? checkChart(application, source, twin === application ? undefined : twin, charts, repository.root)
            : []),
          ...checkProject(application, projects),
          ...(source ? checkSync(application) : checkAutomated(application)),
        ]);
      }),
      ...charts
        .filter((chart) => !isDeployed(chart))
        .map(({ name, folder }) => ({
          rule: 'application-chart',
          file: `${folder}/Chart.yaml`,
          message: `No Application deploys the chart ${name}.`,
          remedy: `Add argocd/${name}.yaml, like those beside it.`,
        })),
      ...projects.flatMap((one) =>
        findingsAt(
          one,
          listOf(one.object.metadata.finalizers).map((finalizer, index): Fault => {
            const message = `without Argo CD nothing removes ${finalizer}, and it blocks its namespace.`;
            return ['application-finalizer', ['metadata', 'finalizers', index], message, 'Take it out.'];
          }),
        ),
      ),
      ...(await checkKinds(repository, projects, applications, sources)),
      ...checkRoot(await repository.manifests(), manifests),
    ];
  },
};

/** What every Application has to say, whatever it deploys. */
function* checkSources({ object }: Located): Iterable<Fault> {
  const { spec, metadata } = object as Application;
  if ((metadata.namespace ?? argocdNamespace) !== argocdNamespace)
    yield ['application-name', ['metadata', 'namespace'], 'Argo CD reads its own namespace only.', 'Write argocd.'];
  for (const [index, source] of applicationSources({ spec: spec ?? {} }).entries()) {
    const { targetRevision, path, chart, ref } = source;
    const at = ['spec', ...(spec.sources?.length ? ['sources', index] : ['source'])];
    if (!targetRevision) {
      const message = 'it does not say what it follows, so it would be HEAD, whatever that is.';
      yield ['application-revision', at, message, 'Add targetRevision, such as main.'];
    }
    for (const { field, message } of sourceFaults(source)) {
      const rule = field[0] === 'path' ? 'application-path' : 'application-values';
      yield [rule, [...at, ...field], `${message}.`, 'Correct the path.'];
    }
    if ((path ?? chart ?? ref) !== undefined) continue;
    yield ['application-path', at, 'it names no path, and no chart.', 'Add path, or chart for a Helm repository.'];
  }
}

/** What an Application says of its chart, held against the chart. */
function* checkChart(
  { object }: Located,
  source: ChartSource,
  twin: Located | undefined,
  charts: readonly Chart[],
  root: string,
): Iterable<Fault> {
  const at = ['spec', ...((object as Application).spec.sources?.length ? ['sources', 0] : ['source'])];
  if (twin !== undefined) {
    const message = `${twin.object.metadata.name} deploys ${source.path} already.`;
    yield ['application-chart', [...at, 'path'], message, 'Remove one of the two.'];
  }
  const chart = charts.find(({ folder }) => folder === source.path);
  if (chart === undefined) {
    const remedy = `Write the folder of a chart: ${charts.map(({ folder }) => folder).join(', ')}.`;
    yield ['application-path', [...at, 'path'], `${source.path} is not a folder with a Chart.yaml.`, remedy];
    return;
  }
  const { name } = object.metadata;
  const { releaseName, valueFiles, ignoreMissingValueFiles: mayBeMissing } = source.helm;
  const write = `Write ${chart.name}.`;
  if (name !== chart.name)
    yield ['application-name', ['metadata', 'name'], `its chart is called ${chart.name}.`, write];
  if (releaseName !== chart.name) {
    const message = `the release is ${releaseName ?? 'not named'}, and all objects are called ${chart.name}.`;
    yield ['application-name', [...at, 'helm', 'releaseName'], message, write];
  }
  const path = [...at, 'helm', 'valueFiles'];
  for (const [index, file] of valueFiles.entries()) {
    if (mayBeMissing || !isRepositoryFile(file) || existsSync(join(root, file))) continue;
    yield ['application-values', [...path, index], `${file} does not exist.`, 'Correct the name.'];
  }
  const defaults = `${chart.folder}/values.yaml`;
  // A chart need not have one.
  if (valueFiles[0] !== defaults && existsSync(join(root, defaults))) {
    const remedy = 'List values.yaml, then the file of the environment.';
    yield ['application-values', path, 'values.yaml has to come first: the later file wins.', remedy];
  }
}

/** Whether an Application's AppProject lets it do what it is there for. Argo CD says so only when it tries. */
function* checkProject({ object }: Located, projects: readonly Located[]): Iterable<Fault> {
  const name = (object.spec as Fields)?.project;
  const project = projects.find((each) => each.object.metadata.name === name);
  if (project === undefined) {
    const known = projects.map((each) => each.object.metadata.name).join(', ');
    const message = `argocd/ has no AppProject ${name ?? ''}.`;
    yield ['application-project', ['spec', 'project'], message, `Write ${known || 'the name of one'}.`];
    return;
  }
  for (const { about, path, what, allow } of projectRefusals(object as Application, project.object)) {
    const remedy = `Correct it, or add ${allow} in ${project.file}.`;
    yield [`project-${about}`, path, `the project ${name} does not allow ${what}.`, remedy];
  }
}

const finalizer = 'resources-finalizer.argocd.argoproj.io/foreground';

/** Without it nothing would be deployed: `up` would wait for a sync that nobody starts. */
function* checkAutomated({ object: { spec } }: Located): Iterable<Fault> {
  const { automated } = (spec as Fields)?.syncPolicy ?? {};
  if (automated && automated.enabled !== false) return;
  const [at, remedy] = [['spec', 'syncPolicy', 'automated'], 'Add automated with prune: true and selfHeal: true.'];
  yield ['application-automated', at, 'a commit would wait until you press Sync.', remedy];
}

/** Whether Argo CD syncs, self-heals, retries and prunes automatically. */
function* checkSync(located: Located): Iterable<Fault> {
  const { metadata, spec } = located.object;
  const { automated, retry, syncOptions } = (spec as Fields)?.syncPolicy ?? {};
  const at = ['spec', 'syncPolicy'];
  if (!listOf(metadata.finalizers).includes(finalizer)) {
    const message = 'without this finalizer of Argo CD what it deployed outlives it, unowned.';
    yield ['application-finalizer', ['metadata', 'finalizers'], message, `Add ${finalizer}.`];
  }
  yield* checkAutomated(located);
  if (automated && automated.enabled !== false) {
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
