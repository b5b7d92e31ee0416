import type { Finding, ValidationCheck } from '../../../repository/rendering/finding.ts';
import { pointsAtChart } from './chart.ts';
import { allowedByProject } from './project.ts';
import { type Application, asApplication, asProject } from './read.ts';
import { syncsItself } from './sync.ts';

/** What Argo CD is told to deploy: it would report most of these only once it runs, and some never. */
export const applications: ValidationCheck = {
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
        ...(await pointsAtChart(application, charts, repository)),
        ...allowedByProject(application, projects),
        ...syncsItself(application),
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
    return [...findings.flat(), ...missing, ...twice(all)];
  },
};

function twice(all: readonly Application[]): Finding[] {
  return all.flatMap((application, index) => {
    const first = all.slice(0, index).find(({ source }) => source.path === application.source.path);
    if (first === undefined) return [];
    const message = `${first.name} deploys ${application.source.path} already.`;
    return [application.finding('application-chart', ['spec', 'source', 'path'], message, 'Remove one of the two.')];
  });
}
