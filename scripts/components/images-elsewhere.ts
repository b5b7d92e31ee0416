import type { ApplyResult, Status } from '../cluster/component.ts';
import type { Context } from '../images/context.ts';
import { ghcrHost } from '../images/credentials/token-check.ts';
import {
  giveAccess,
  lacksAccess,
  pullSecretContent,
  pullsByItself,
  retryPulls,
  takeAccess,
  theirSecret,
  warning,
  whyTheirsFails,
} from './pulling.ts';

/** Where the services' images come from on a cluster whose nodes are not on this machine: through a pull secret, or without. */
export async function status(context: Context): Promise<Status> {
  if (await pullsByItself(context)) return { state: 'ready', detail: theirSecret };
  const account = await context.credentials.account();
  if (!account) {
    return (await pullSecretContent(context)) === undefined
      ? { state: 'ready', detail: nobodys }
      : { state: 'unready', missing: 'the cluster has a pull secret, but there is no token any more' };
  }
  const missing = await lacksAccess(context, account);
  return missing === undefined
    ? { state: 'ready', detail: `from ${ghcrHost}, as ${account.username}` }
    : { state: 'absent', missing };
}

/** Gives the cluster the account's pull secret, or takes it away where there is no account any more. */
export async function apply(context: Context): Promise<ApplyResult> {
  if (await pullsByItself(context)) {
    const why = await whyTheirsFails(context);
    return { changed: [], detail: theirSecret, notes: why === undefined ? [] : [warning(why)] };
  }
  const account = await context.credentials.account();
  if (!account) return { changed: await takeAccess(context), detail: nobodys };
  const changed = [...(await giveAccess(context, account)), ...(await retryPulls(context))];
  return { changed, detail: `from ${ghcrHost}, as ${account.username}` };
}

const nobodys = 'pulled by the nodes without a token';
