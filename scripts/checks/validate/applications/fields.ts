import { type Finding, findingAt, type Located } from '../../../repository/rendering/finding.ts';
import { type FieldPath, mapIn, mapsIn, textsIn } from '../../../repository/yaml.ts';

/** The fields of an Application that are looked at; any may be missing in a broken one. */
export interface ApplicationFields {
  name: string;
  namespace: string | undefined;
  finalizers: readonly string[];
  source: {
    repoURL?: string;
    targetRevision?: string;
    path?: string;
    helm?: { releaseName?: string; valueFiles?: string[] };
  };
  destination: { server?: string; name?: string; namespace?: string };
  project: string | undefined;
  syncPolicy: {
    automated?: { enabled?: boolean; prune?: boolean; selfHeal?: boolean };
    retry?: { limit?: number; backoff?: { duration?: string; factor?: number; maxDuration?: string } };
    syncOptions?: string[];
  };
  finding(rule: string, path: FieldPath, message: string, remedy: string): Finding;
}

export interface ProjectFields {
  name: string;
  file: string;
  sourceRepos: readonly string[];
  destinations: readonly { server?: string; name?: string; namespace?: string }[];
}

/** An Application as the rules read it. */
export function asApplication(located: Located): ApplicationFields {
  const { metadata } = located.object;
  const spec = mapIn<ApplicationFields>(located.object.spec);
  const source = mapIn<ApplicationFields['source']>(spec.source);
  const helm = mapIn<NonNullable<ApplicationFields['source']['helm']>>(source.helm);
  const syncPolicy = mapIn<ApplicationFields['syncPolicy']>(spec.syncPolicy);
  const retry = mapIn<NonNullable<ApplicationFields['syncPolicy']['retry']>>(syncPolicy.retry);
  return {
    name: metadata.name,
    namespace: metadata.namespace,
    finalizers: textsIn(metadata.finalizers),
    source: { ...source, helm: { ...helm, valueFiles: textsIn(helm.valueFiles) } },
    destination: mapIn(spec.destination),
    project: spec.project,
    syncPolicy: {
      ...syncPolicy,
      retry: { ...retry, backoff: mapIn(retry.backoff) },
      syncOptions: textsIn(syncPolicy.syncOptions),
    },
    finding: (rule, path, message, remedy) => findingAt(located, rule, path, message, remedy),
  };
}

/** An AppProject as the rules read it. */
export function asProject({ object, file }: Located): ProjectFields {
  const spec = mapIn<ProjectFields>(object.spec);
  return {
    name: object.metadata.name,
    file,
    sourceRepos: textsIn(spec.sourceRepos),
    destinations: mapsIn(spec.destinations),
  };
}
