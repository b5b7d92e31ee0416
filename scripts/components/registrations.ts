import type { Config } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import type { Checkout } from '../lib/git/checkout.ts';
import { type Application, localValueFiles, readRegistrations } from '../repository/applications.ts';
import { readManifests } from '../repository/manifests.ts';
import { localRepoUrl } from './git-source.ts';

const known = new WeakMap<Checkout, Promise<KubeObject[]>>();

/**
 * The project and the Applications as this cluster registers them: other address, revision and values than production.
 * Made once for a checkout, however often it is asked for.
 */
export async function registrations(context: Context): Promise<KubeObject[]> {
  const checkout = await context.checkout();
  const making = known.get(checkout) ?? make(context, checkout);
  known.set(checkout, making);
  return making;
}

async function make({ config }: Context, checkout: Checkout): Promise<KubeObject[]> {
  const { project, applications } = await readRegistrations(config.root);
  const source = sourceOf(config, checkout);
  return [
    ...(await readManifests(config.root, ['cluster/argocd/default-project.yaml'])),
    ...project.map((object) => ({ ...object, spec: { ...(object.spec as object), sourceRepos: [source.repoURL] } })),
    ...applications.map((application) => ({
      ...application,
      spec: {
        ...application.spec,
        source: {
          ...application.spec.source,
          ...source,
          path: `${checkout.prefix}${application.spec.source.path}`,
          helm: {
            ...application.spec.source.helm,
            valueFiles: localValueFiles(application, config.environment),
          },
        },
      },
    })),
  ];
}

function sourceOf({ gitops }: Config, { linked, branch, head }: Checkout) {
  if (gitops) return { repoURL: gitops.repoUrl, targetRevision: gitops.revision };
  // A linked worktree shares the repository, whose HEAD is that of the main one: it is followed by its branch.
  return { repoURL: localRepoUrl, targetRevision: linked ? (branch ?? head) : 'HEAD' };
}

type Source = Application['spec']['source'];

/** How an Application's source, or the one that Argo CD last looked at, differs from the wanted one; undefined if it doesn't. */
export function difference({ spec, status }: Application, wanted: Source): string | undefined {
  const { repoURL, targetRevision, helm } = spec.source;
  if (repoURL !== wanted.repoURL || targetRevision !== wanted.targetRevision) {
    return `follows ${targetRevision} of ${repoURL}, not ${wanted.targetRevision} of ${wanted.repoURL}`;
  }
  if (!sameFiles(helm, wanted.helm)) {
    return `is rendered with ${helm?.valueFiles?.join(' and ')}, not with ${wanted.helm.valueFiles.join(' and ')}`;
  }
  // What it says of itself is about the source that it was last compared with.
  const compared = status?.sync?.comparedTo?.source;
  const current =
    compared === undefined ||
    (compared.repoURL === wanted.repoURL &&
      compared.targetRevision === wanted.targetRevision &&
      sameFiles(compared.helm, wanted.helm));
  return current ? undefined : 'is not compared yet with its new source';
}

function sameFiles(one: Partial<Source['helm']> | undefined, wanted: Source['helm']): boolean {
  return one?.valueFiles?.join('\n') === wanted.valueFiles.join('\n');
}
