import { groupOf } from '../../kubernetes/objects.ts';
import type { Finding, Located } from '../../repository/rendering/finding.ts';
import type { Chart } from '../../repository/rendering/helm.ts';
import type { Repository, ValidationCheck } from '../../repository/rendering/repository.ts';
import { type Fault, type Fields, findingsAt, listOf } from './objects/rule.ts';

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
    const isDeployed = ({ name, folder }: Chart) =>
      applications.some(({ object }, i) => paths[i] === folder || object.metadata.name === name);
    return [
      ...applications.flatMap((application, index) => {
        const twin = applications[paths.indexOf(paths[index])];
        return findingsAt(application, [
          ...checkSource(application, twin === application ? undefined : twin, charts, files),
          ...checkProject(application, projects),
          ...checkSync(application),
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
      ...(await checkKinds(repository, projects)),
    ];
  },
};

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
    const message = `${source.path ?? 'nothing'} is not a folder with a Chart.yaml.`;
    yield ['application-path', [...at, 'path'], message, remedy];
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

/** What the cluster makes of what the charts render: the tree in Argo CD's interface shows only kinds of the list. */
const madeByTheCluster = ['apps/ReplicaSet', '/Pod', 'discovery.k8s.io/EndpointSlice'];

/** Whether the AppProject allows the kinds that the charts can render, and no others. */
async function checkKinds(repository: Repository, projects: readonly Located[]): Promise<Finding[]> {
  // Argo CD leaves the pods of `helm test` alone.
  const rendered = (await repository.rendered()).filter(
    ({ object }) => object.metadata.annotations?.['helm.sh/hook'] === undefined,
  );
  const kindOf = ({ object: { apiVersion, kind } }: Located) => `${groupOf(apiVersion)}/${kind}`;
  const possible = [...rendered.map(kindOf), ...(await kindsInTemplates(repository)), ...madeByTheCluster];
  return projects.flatMap((project) => {
    const { name } = project.object.metadata;
    const list = listOf((project.object.spec as Fields)?.namespaceResourceWhitelist);
    const allowed = list.map(({ group, kind }) => `${group}/${kind}`);
    const refused = list.length === 0 ? [] : rendered.filter((located) => !allowed.includes(kindOf(located)));
    const unused = [...list.entries()].filter(([i]) => !possible.includes(allowed[i] ?? ''));
    return [
      ...refused.flatMap((located) => {
        const message = `the AppProject ${name} does not allow it, so Argo CD would refuse to sync.`;
        const { apiVersion, kind } = located.object;
        const remedy = `Add {group: "${groupOf(apiVersion)}", kind: ${kind}} to ${project.file}.`;
        return findingsAt(located, [['project-allows-kinds', ['kind'], message, remedy]]);
      }),
      ...unused.flatMap(([i, { kind }]) => {
        const path = ['spec', 'namespaceResourceWhitelist', i];
        const message = `${kind} is allowed, and no chart renders it.`;
        return findingsAt(project, [['project-allows-kinds', path, message, 'Remove it.']]);
      }),
    ];
  });
}

/** Those that are switched off, too: a template says its kind in plain text. `/Pod` for a kind of the core. */
async function kindsInTemplates(repository: Repository): Promise<string[]> {
  const files = (await repository.files('helm')).filter((file) => /\/templates\/[^/]+\.(tpl|ya?ml)$/.test(file));
  const texts = await Promise.all(files.map((file) => repository.text(file)));
  return texts.flatMap((text) =>
    [...text.matchAll(/^apiVersion: (\S+)\nkind: (\w+)$/gm)].map(
      ([, version = '', kind]) => `${groupOf(version)}/${kind}`,
    ),
  );
}
