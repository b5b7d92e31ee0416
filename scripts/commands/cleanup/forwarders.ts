import type { Context } from '../../images/context.ts';
import type { Item } from './item.ts';
import { item, processes } from './processes.ts';

/** Milliseconds in which `npm run forward` notices that its cluster is gone, and ends with a sentence that says so. */
const patience = 5000;

/**
 * Each `npm run forward` of this cluster, known by a port-forward that it started with our kubeconfig. It belongs behind
 * the cluster, with whose end it ends by itself. A person's own port-forward ends with its connection.
 */
export async function forwarders(context: Context): Promise<Item[]> {
  const all = await processes(context);
  const ours = ` --kubeconfig ${context.kubeconfig} `;
  const parents = new Set(
    all.filter(({ command }) => command.includes(ours) && / port-forward /.test(command)).map(({ parent }) => parent),
  );
  return all
    .filter(({ pid, command }) => parents.has(pid) && /\bcli\.ts forward\b/.test(command))
    .map((one) => item(context, one, 'npm run forward', patience));
}
