import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import { readSecret } from '../kubernetes/secret.ts';
import { readAuthority } from '../lib/certificates/authority.ts';
import { UserError } from '../lib/errors.ts';

/** A host that the ingress answers for, and the Secret of its certificate; none where it answers by plain HTTP only. */
export interface Site {
  host: string;
  secret: { namespace: string; name: string } | undefined;
}

/** Where this user's certificate authority lies. */
export function authorityFolder({ dataDir }: Config): string {
  return join(dataDir, 'ca');
}

/** Whether a host is this machine by its name alone (RFC 6761, 6.3), so that the local authority may vouch for it. */
export function isLocal(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}

/**
 * The certificate, as PEM, that a site's own has to be vouched for by: the local authority's, or for a host that this
 * may not sign for, the one that `up` put into its Secret. Throws a `UserError` where there is none.
 */
export async function trustedFor(context: Context, { host, secret }: Site): Promise<string> {
  if (isLocal(host)) {
    const authority = await readAuthority(authorityFolder(context.config));
    if (authority) return authority.certificate;
    throw new UserError('there is no local certificate authority yet', { hint: 'npm run up' });
  }
  const certificate = secret && (await readTlsSecret(context, secret))?.certificate;
  if (certificate) return certificate;
  throw new UserError(`there is no certificate for ${host} yet`, { hint: 'npm run up' });
}

/** What lies in a Secret of type kubernetes.io/tls, or undefined if there is no such Secret. */
export async function readTlsSecret(
  context: Context,
  secret: { namespace: string; name: string },
): Promise<{ certificate: string; key: string } | undefined> {
  const data = await readSecret(context, secret);
  if (data === undefined) return undefined;
  const decode = (entry: string) => Buffer.from(data[entry] ?? '', 'base64').toString('utf8');
  return { certificate: decode('tls.crt'), key: decode('tls.key') };
}
