import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Chart } from '../../../repository/rendering/helm.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import type { Application } from './read.ts';

const helm = ['spec', 'source', 'helm'];

/** What an Application says of its chart, held against the chart. */
export async function pointsAtChart(
  application: Application,
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
  return [...findings, ...checkNames(application, chart), ...(await checkValues(application, chart, repository))];
}

function checkNames({ name, namespace, source, finding }: Application, chart: Chart): Finding[] {
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

async function checkValues({ source, finding }: Application, chart: Chart, repository: Repository): Promise<Finding[]> {
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
