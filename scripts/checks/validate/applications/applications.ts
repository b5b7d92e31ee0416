import type { Finding, ValidationCheck } from '../../../repository/rendering/finding.ts';
import type { Chart } from '../../../repository/rendering/helm.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { type ApplicationFields, asApplication, asProject, type ProjectFields } from './fields.ts';

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
    'application-automated': 'Argo CD syncs by itself, prunes and heals.',
    'application-retry': 'A failed sync is tried again, a limited number of times and each time later.',
    'application-sync-options': 'The syncOptions are ServerSideApply, ApplyOutOfSyncOnly and PruneLast.',
    'application-finalizer': 'Deleting an Application deletes what it deployed.',
  },
  async run(repository) {
    const manifests = (await repository.manifests()).filter(({ file }) => file.startsWith('argocd/'));
    const all = manifests.filter(({ object }) => object.kind === 'Application').map(asApplication);
    const projects = manifests.filter(({ object }) => object.kind === 'AppProject').map(asProject);
    const charts = await repository.charts();
    const findings = await Promise.all(
      all.map(async (application) => [
        ...(await checkChartReference(application, charts, repository)),
        ...checkAllowedByProject(application, projects),
        ...checkSyncPolicy(application),
      ]),
    );
    const missing = charts
      .filter(({ name, folder }) => !all.some((each) => each.source.path === folder || each.name === name))
      .map(
        ({ name, folder }): Finding => ({
          rule: 'application-chart',
          file: `${folder}/Chart.yaml`,
          message: `No Application deploys the chart ${name}.`,
          remedy: `Add argocd/${name}.yaml, like those beside it.`,
        }),
      );
    return [...findings.flat(), ...missing, ...findDuplicates(all)];
  },
};

function findDuplicates(all: readonly ApplicationFields[]): Finding[] {
  return all.flatMap((application, index) => {
    const first = all.slice(0, index).find(({ source }) => source.path === application.source.path);
    if (first === undefined) return [];
    const message = `${first.name} deploys ${application.source.path} already.`;
    return [application.finding('application-chart', ['spec', 'source', 'path'], message, 'Remove one of the two.')];
  });
}

const helm = ['spec', 'source', 'helm'];

/** What an Application says of its chart, held against the chart. */
async function checkChartReference(
  application: ApplicationFields,
  charts: readonly Chart[],
  repository: Repository,
): Promise<Finding[]> {
  const { source, finding } = application;
  const findings: Finding[] = [];
  if (!source.targetRevision) {
    const message = 'it does not say what it follows, so it would be HEAD, whatever that is.';
    findings.push(finding('application-revision', ['spec', 'source'], message, 'Add targetRevision, such as main.'));
  }
  const chart = charts.find(({ folder }) => folder === source.path);
  if (chart === undefined) {
    const message = `${source.path ?? 'nothing'} is no folder with a Chart.yaml.`;
    const remedy = `Write the folder of a chart: ${charts.map(({ folder }) => folder).join(', ')}.`;
    return [...findings, finding('application-path', ['spec', 'source', 'path'], message, remedy)];
  }
  return [
    ...findings,
    ...checkApplicationNames(application, chart),
    ...(await checkValues(application, chart, repository)),
  ];
}

function checkApplicationNames({ name, namespace, source, finding }: ApplicationFields, chart: Chart): Finding[] {
  const findings: Finding[] = [];
  const found = (path: readonly string[], message: string, remedy: string) =>
    findings.push(finding('application-name', path, message, remedy));
  if (name !== chart.name) found(['metadata', 'name'], `its chart is called ${chart.name}.`, `Write ${chart.name}.`);
  if (namespace !== 'argocd') {
    found(['metadata', 'namespace'], 'Argo CD reads Applications in its own namespace only.', 'Write argocd.');
  }
  const { releaseName } = source.helm ?? {};
  if (releaseName !== chart.name) {
    const message = `the release is ${releaseName ?? 'not named'}, and all objects are called ${chart.name}.`;
    found([...helm, 'releaseName'], message, `Write ${chart.name}.`);
  }
  return findings;
}

async function checkValues(
  { source, finding }: ApplicationFields,
  chart: Chart,
  repository: Repository,
): Promise<Finding[]> {
  const { valueFiles = [] } = source.helm ?? {};
  const path = [...helm, 'valueFiles'];
  const files = new Set(await repository.files(chart.folder));
  const findings = valueFiles.flatMap((file, index) => {
    const full = `${chart.folder}/${file}`;
    if (files.has(full)) return [];
    return [finding('application-values', [...path, index], `${full} does not exist.`, 'Correct the name.')];
  });
  if (valueFiles.length === 0 || valueFiles[0] !== 'values.yaml') {
    const message = 'values.yaml has to come first: the later file wins.';
    findings.push(finding('application-values', path, message, 'List values.yaml, then the file of the environment.'));
  }
  return findings;
}

/** Whether an Application's AppProject lets it do what it is there for. Argo CD says so only when it tries. */
function checkAllowedByProject(application: ApplicationFields, projects: readonly ProjectFields[]): Finding[] {
  const { project: name, source, destination, finding } = application;
  const project = projects.find((each) => each.name === name);
  if (project === undefined) {
    const known = projects.map((each) => each.name).join(', ');
    const message = `argocd/ has no AppProject ${name ?? ''}.`;
    return [finding('application-project', ['spec', 'project'], message, `Write ${known || 'the name of one'}.`)];
  }
  const { sourceRepos, destinations } = project;
  const findings: Finding[] = [];
  if (!sourceRepos.some((allowed) => matchesPattern(allowed, source.repoURL))) {
    const message = `the project ${name} does not allow ${source.repoURL ?? 'an Application without repoURL'}.`;
    const remedy = `Correct the address, or add it to sourceRepos in ${project.file}.`;
    findings.push(finding('project-repository', ['spec', 'source', 'repoURL'], message, remedy));
  }
  const isAllowed = destinations.some(
    (allowed) =>
      matchesPattern(allowed.namespace, destination.namespace) &&
      (matchesPattern(allowed.server, destination.server) || matchesPattern(allowed.name, destination.name)),
  );
  if (!isAllowed) {
    const where = `${destination.namespace ?? 'no namespace'} on ${destination.server ?? destination.name ?? 'no cluster'}`;
    const message = `the project ${name} does not allow ${where}.`;
    const remedy = `Correct the destination, or add it to destinations in ${project.file}.`;
    findings.push(finding('project-destination', ['spec', 'destination'], message, remedy));
  }
  return findings;
}

/** As Argo CD reads a pattern of a project: `*` stands for any text. Nothing matches what isn't stated. */
function matchesPattern(pattern: string | undefined, value: string | undefined): boolean {
  if (typeof pattern !== 'string' || value === undefined) return false;
  const source = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${source}$`).test(value);
}

const wantedOptions = ['ServerSideApply', 'ApplyOutOfSyncOnly', 'PruneLast'];
const finalizer = 'resources-finalizer.argocd.argoproj.io';
const syncPolicyPath = ['spec', 'syncPolicy'];

/** Whether Argo CD deploys, heals, retries and removes without a person. */
function checkSyncPolicy(application: ApplicationFields): Finding[] {
  const { finalizers, finding } = application;
  const owned = finalizers.some((each) => each === finalizer || each.startsWith(`${finalizer}/`));
  return [
    ...checkAutomated(application),
    ...checkRetry(application),
    ...checkOptions(application),
    ...(owned
      ? []
      : [
          finding(
            'application-finalizer',
            ['metadata', 'finalizers'],
            'without the finalizer of Argo CD what it deployed outlives it, unowned.',
            `Add ${finalizer}.`,
          ),
        ]),
  ];
}

function checkAutomated({ syncPolicy: { automated }, finding }: ApplicationFields): Finding[] {
  const rule = 'application-automated';
  if (automated === undefined || automated === null || automated.enabled === false) {
    const message = 'a commit would wait until someone presses Sync.';
    return [
      finding(rule, [...syncPolicyPath, 'automated'], message, 'Add automated with prune: true and selfHeal: true.'),
    ];
  }
  const without = { prune: 'what disappears from Git would stay', selfHeal: 'changes by hand would stay' } as const;
  return (['prune', 'selfHeal'] as const)
    .filter((field) => automated[field] !== true)
    .map((field) =>
      finding(
        rule,
        [...syncPolicyPath, 'automated', field],
        `${without[field]} in the cluster.`,
        `Write ${field}: true.`,
      ),
    );
}

function checkRetry({ syncPolicy: { retry }, finding }: ApplicationFields): Finding[] {
  const { limit, backoff } = retry ?? {};
  const findings: Finding[] = [];
  const found = (field: string, message: string, remedy: string) =>
    findings.push(finding('application-retry', [...syncPolicyPath, 'retry', field], message, remedy));
  if (limit === undefined || limit < 1) {
    const message = 'a sync that fails for a passing reason has to be tried again, a limited number of times.';
    found('limit', message, 'Write a number above 0, such as 5.');
  }
  if (!backoff?.duration || !backoff.maxDuration || !((backoff.factor ?? 0) > 1)) {
    const message = 'the wait has to grow from one try to the next, up to a maximum.';
    found('backoff', message, 'State duration, a factor above 1, and maxDuration.');
  }
  return findings;
}

function checkOptions({ syncPolicy: { syncOptions = [] }, finding }: ApplicationFields): Finding[] {
  return wantedOptions
    .filter((option) => !syncOptions.includes(`${option}=true`))
    .map((option) => {
      const message = `${option}=true is missing.`;
      return finding('application-sync-options', [...syncPolicyPath, 'syncOptions'], message, `Add ${option}=true.`);
    });
}
