import type { Context } from '../images/context.ts';
import { Unreachable } from '../kubernetes/api/api.ts';
import { readSecret } from '../kubernetes/secret.ts';
import { UserError } from '../lib/errors.ts';
import { fromBase64, Secret } from '../lib/secret.ts';
import { argocdNamespace } from '../repository/applications.ts';

/** The words that choose what a browser finds at the ingress, in the order of the list. */
export const siteNames = ['api', 'argocd', 'prometheus', 'grafana'] as const;
export type SiteName = (typeof siteNames)[number];

/** Those of them that ask for the user admin and a password. */
export const passwordSites = ['argocd', 'grafana'] as const satisfies readonly SiteName[];
export type PasswordSite = (typeof passwordSites)[number];

/** Where the first password of the user admin lies; Argo CD generates it. */
export const argocdPassword = { namespace: argocdNamespace, secret: 'argocd-initial-admin-secret', key: 'password' };
/** Where the administrator's password lies: generated once for each cluster, never in Git. */
export const grafanaPassword = { namespace: 'observability', secret: 'grafana-admin', key: 'password' };

const passwordSecrets: Record<PasswordSite, typeof argocdPassword | typeof grafanaPassword> = {
  argocd: argocdPassword,
  grafana: grafanaPassword,
};

/** The password of the user admin there, which the cluster keeps in a Secret. Throws a `UserError` where it has none. */
export async function readPassword(context: Context, place: PasswordSite): Promise<Secret> {
  const { namespace, secret, key } = passwordSecrets[place];
  try {
    const data = await readSecret(context, { namespace, name: secret });
    if (data) return new Secret(fromBase64(data[key]));
  } catch (cause) {
    if (!(cause instanceof Unreachable)) throw cause;
    throw new UserError(`The cluster ${context.config.clusterName} does not answer.`, { hint: 'npm run up', cause });
  }
  throw new UserError(
    `The secret ${namespace}/${secret} is not there: the password was changed, or ${place} is not up yet.`,
    { hint: 'npm run status' },
  );
}
