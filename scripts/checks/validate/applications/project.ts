import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Application, Project } from './read.ts';

/** Whether an Application's AppProject lets it do what it is there for. Argo CD says so only when it tries. */
export function allowedByProject(application: Application, projects: readonly Project[]): Finding[] {
  const { project: name, source, destination, finding } = application;
  const project = projects.find((each) => each.name === name);
  if (project === undefined) {
    const known = projects.map((each) => each.name).join(', ');
    const message = `argocd/ has no AppProject ${name ?? ''}.`;
    return [finding('application-project', ['spec', 'project'], message, `Write ${known || 'the name of one'}.`)];
  }
  const { sourceRepos, destinations } = project;
  const findings: Finding[] = [];
  if (!sourceRepos.some((allowed) => matches(allowed, source.repoURL))) {
    const message = `the project ${name} does not allow ${source.repoURL ?? 'an Application without repoURL'}.`;
    const remedy = `Correct the address, or add it to sourceRepos in ${project.file}.`;
    findings.push(finding('project-repository', ['spec', 'source', 'repoURL'], message, remedy));
  }
  const isAllowed = destinations.some(
    (allowed) =>
      matches(allowed.namespace, destination.namespace) &&
      (matches(allowed.server, destination.server) || matches(allowed.name, destination.name)),
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
function matches(pattern: string | undefined, value: string | undefined): boolean {
  if (typeof pattern !== 'string' || value === undefined) return false;
  const source = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${source}$`).test(value);
}
