import { existsSync, readFileSync } from 'node:fs';
import { mergedInto, unmerge } from '../../access/kubeconfig/index.ts';
import { unmerged } from '../../access/kubeconfig/merge.ts';
import type { Context } from '../../images/context.ts';
import type { Item } from './item.ts';

/** The cluster's context in the person's own kubeconfig, where `npm run kubeconfig -- --merge` put it. */
export function mergedContextItems(context: Context): Item[] {
  const { config, kubeContext, kubeconfig } = context;
  const file = mergedInto(config);
  if (file === undefined) return [];
  const isThere = async () =>
    existsSync(file) && unmerged(readFileSync(file, 'utf8'), kubeContext, kubeconfig) !== undefined;
  const remove = async () => void (await unmerge(context));
  return [{ kind: 'file', name: `context ${kubeContext} in ${file}`, remove, isThere }];
}
