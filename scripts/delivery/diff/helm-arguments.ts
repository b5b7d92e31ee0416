import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import {
  type Application,
  type HelmParameter,
  isRepositoryFile,
  namespaceOf,
  type Source,
  valuesPath,
} from '../../repository/applications.ts';
import { apiVersions, type ClusterFacts } from './targets.ts';

/** @returns the values files of an Application, from the top folder of the repository, without those that may be missing and are. */
export function valueFilesOf(top: string, { spec }: Application): string[] {
  const { path = '.', helm: { valueFiles = [], ignoreMissingValueFiles = false } = {} } = spec.source ?? {};
  const files = valueFiles.map((file) => valuesPath(path, file));
  return ignoreMissingValueFiles ? files.filter((file) => existsSync(join(top, file))) : files;
}

/**
 * What Argo CD gives to `helm template .` in the chart's folder (util/helm/cmd.go, reposerver/repository, helmTemplate).
 * Throws a `UserError` for what an Application can say besides, and what is not followed here.
 */
export function helmArguments(top: string, application: Application, facts: ClusterFacts): string[] {
  assertSupported(application);
  const { metadata, spec } = application;
  const { path = '.', helm } = spec.source ?? {};
  return [
    ...['--name-template', helm?.releaseName ?? metadata.name],
    ...['--namespace', namespaceOf(application)],
    ...['--kube-version', facts.kubeVersion],
    ...valueFilesOf(top, application).flatMap((file) => ['--values', posix.relative(path, file)]),
    ...(helm?.parameters ?? []).flatMap(setArguments),
    ...apiVersions(facts).flatMap((version) => ['--api-versions', version]),
    '--include-crds',
  ];
}

/** A comma would end the value (util/helm/helm.go, cleanSetParameters). */
function setArguments({ name, value, forceString }: HelmParameter): string[] {
  return [forceString ? '--set-string' : '--set', `${name}=${value.replaceAll(/(?<!\\),/g, '\\,')}`];
}

/**
 * A rendering that leaves half of the settings out would be a lie.
 * @throws UserError for what an Application says and is not followed here.
 */
export function assertSupported({ metadata, spec }: Application): void {
  const { repoURL, targetRevision, path, helm, directory, ...ofSource } = spec.source ?? ({} as Source);
  const { releaseName, valueFiles = [], ignoreMissingValueFiles, parameters = [], ...ofHelm } = helm ?? {};
  const { recurse, ...ofDirectory } = (directory ?? {}) as { recurse?: boolean };
  const whole = spec.sourceHydrator === undefined ? undefined : 'sourceHydrator';
  const [field] = [
    ...Object.keys(ofSource),
    ...Object.keys(ofDirectory).map((one) => `directory.${one}`),
    ...Object.keys(ofHelm).map((one) => `helm.${one}`),
    // Lists, and what Argo CD would put in for a variable.
    ...(parameters.some(({ value }) => /^\{|\$/.test(value)) ? ['helm.parameters'] : []),
  ];
  const file = valueFiles.find((one) => !isRepositoryFile(one));
  if (whole === undefined && field === undefined && file === undefined) return;
  const inSource = field === undefined ? `the values file ${file}` : `spec.source.${field}`;
  const what = whole === undefined ? inSource : `spec.${whole}`;
  throw new UserError(`The Application ${metadata.name} has ${what}, which npm run diff can't render with.`, {
    hint:
      whole === undefined
        ? 'Say the same in a file of the repository.'
        : 'Commit it: npm run sync shows what it changes.',
  });
}
