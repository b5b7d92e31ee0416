import type { Config } from '../../config/config.ts';
import type { Context } from '../../images/context.ts';
import { nameOf } from '../../kubernetes/objects.ts';
import type { Workload } from '../../kubernetes/workloads.ts';
import { UsageError } from '../../lib/errors.ts';
import { closest } from '../../lib/text.ts';

const kinds = ['Deployment', 'StatefulSet', 'DaemonSet'] as const;

/** Words for all that is in a namespace. */
const groups: Record<string, (config: Config) => string> = {
  argocd: () => 'argocd',
  ingress: ({ ingressController }) => (ingressController === 'traefik' ? 'traefik' : 'ingress-nginx'),
};

/**
 * The workloads that a word means: those of that name, or all of `argocd` or `ingress`. Throws a `UsageError` that tells
 * which there are.
 */
export async function workloadsNamed(context: Context, word: string): Promise<Workload[]> {
  const view = context.view();
  const all = (await Promise.all(kinds.map((kind) => view.list<Workload>('apps/v1', kind)))).flat();
  const named = all.filter(({ metadata }) => metadata.name === word);
  const namespace = groups[word]?.(context.config);
  const found = named.length > 0 ? named : all.filter(({ metadata }) => metadata.namespace === namespace);
  if (found.length > 0) return found.toSorted((one, other) => nameOf(one).localeCompare(nameOf(other)));
  const words = [...new Set([...all.map(({ metadata }) => metadata.name), ...Object.keys(groups)])].sort();
  const meant = closest(word, words);
  throw new UsageError(
    `Nothing in the cluster is called "${word}".`,
    meant ? `Did you mean ${meant}?` : `There are ${words.join(', ')}.`,
  );
}
