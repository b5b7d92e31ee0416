import type { Context } from '../../images/context.ts';
import { UsageError, UserError } from '../../lib/errors.ts';

/**
 * Makes sure that the login may do everything in the cluster: roles of Argo CD and Prometheus can only be given by somebody
 * who has what they give. Throws a `UsageError`.
 */
export async function demandRights(context: Context): Promise<void> {
  const kubectl = await context.kubectl();
  const asked = await kubectl.run(['auth', 'can-i', '*', '*', '--all-namespaces'], { nothrow: true, timeout: 30_000 });
  if (asked.exitCode === 0 && /^yes\b/m.test(asked.stdout)) return;
  if (!/^no\b/m.test(asked.stdout))
    throw new UserError(`The API server did not say what the login may do: ${asked.stderr.trim().split('\n').at(-1)}`, {
      hint: 'npm run doctor',
    });
  throw new UsageError(
    `The login of the context ${context.kubeContext} may not do everything in its cluster, which installing the platform takes.`,
    'Have it bound to the ClusterRole cluster-admin, or name a context of somebody who is.',
  );
}
