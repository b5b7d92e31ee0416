import { posix } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import type { Application } from '../../repository/applications.ts';
import { apiVersions, type Facts } from './facts.ts';

/** Where an Application deploys to; in the API it is called the destination. */
export function namespaceOf({ spec }: Application): string {
  return (spec.destination as { namespace?: string } | undefined)?.namespace ?? 'default';
}

/** The values files of an Application, from the top folder of the repository. */
export function valueFilesOf({ spec }: Application): string[] {
  const { path, helm } = spec.source;
  // One that begins with a slash counts from the top folder of the repository, for Argo CD, too.
  return helm.valueFiles.map((file) => (posix.isAbsolute(file) ? file.slice(1) : posix.join(path, file)));
}

/**
 * What Argo CD gives to `helm template .` in the chart's folder (util/helm/cmd.go, reposerver/repository, helmTemplate).
 * Throws a `UserError` for what an Application can say besides, and what is not followed here.
 */
export function helmArguments(application: Application, facts: Facts): string[] {
  refuseUnknown(application);
  const { metadata, spec } = application;
  const { path, helm } = spec.source;
  return [
    ...['--name-template', helm.releaseName ?? metadata.name],
    ...['--namespace', namespaceOf(application)],
    ...['--kube-version', facts.kubeVersion],
    ...valueFilesOf(application).flatMap((file) => ['--values', posix.relative(path, file)]),
    ...apiVersions(facts).flatMap((version) => ['--api-versions', version]),
    '--include-crds',
  ];
}

const followed = {
  source: new Set(['repoURL', 'targetRevision', 'path', 'helm']),
  helm: new Set(['releaseName', 'valueFiles']),
};

/** A rendering that leaves half of the settings out would be a lie. */
function refuseUnknown({ metadata, spec }: Application): void {
  const other = (fields: object, known: ReadonlySet<string>) => Object.keys(fields).find((field) => !known.has(field));
  const { source, sources } = spec;
  const field = sources !== undefined ? 'sources' : other(source, followed.source);
  const ofHelm = field === undefined ? other(source.helm, followed.helm) : undefined;
  const named = ofHelm === undefined ? field : `helm.${ofHelm}`;
  const file = source.helm.valueFiles.find((one) => /^\w+:\/\/|^\$|[*?[]/.test(one));
  if (named === undefined && file === undefined) return;
  const what = named === undefined ? `the values file ${file}` : `spec.source.${named}`;
  throw new UserError(`The Application ${metadata.name} has ${what}, which npm run diff can't render with.`, {
    hint: 'Say the same in a values file of the chart.',
  });
}
