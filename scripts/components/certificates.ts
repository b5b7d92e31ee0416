import type { X509Certificate } from 'node:crypto';
import type { Component } from '../cluster/component.ts';
import { wasApplied } from '../cluster/ownership.ts';
import { authorityFolder } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import type { Ingress } from '../kubernetes/types.ts';
import { ensureAuthority, readAuthority } from '../lib/certificates/authority.ts';
import type { Certificate } from '../lib/certificates/certificate.ts';
import { daysLeft, isKeyOf, parseCertificate } from '../lib/certificates/x509.ts';
import { UserError } from '../lib/errors.ts';
import { base64 } from '../lib/secret.ts';
import { ingressesAtHead } from '../repository/committed-values.ts';
import { memoizePerContext, readManifests } from '../repository/manifests.ts';
import { argocdNamespaceObject as argocdNamespace } from './argo-cd.ts';
import { ensureNamespaces } from './namespaces.ts';
import { waitForTermination } from './removal.ts';
import { isLocal, readRoutes, readTlsSecret } from './routes.ts';

/** Longer ones are refused by some programs, even from an authority that a person trusts. */
const validDays = 397;
const renewDays = 30;
/** By this, and by nothing else, the Secrets of this component are known. */
const certificateLabels = { 'app.kubernetes.io/managed-by': 'platform-ops', 'app.kubernetes.io/component': 'tls' };

/** A Secret that Ingresses name, with all the hosts that it is for. */
export interface WantedCertificate {
  namespace: string;
  name: string;
  hosts: [string, ...string[]];
}

/** The certificates of the ingress, as Secrets: signed by this user's own authority where the host is this machine. */
export const certificates: Component = {
  name: 'certificates',
  needs: ['cluster'],

  prepare: async (context) =>
    Promise.all((await wantedCertificates(context)).map(({ hosts }) => certificateFor(context, hosts))),

  async status(context) {
    const wanted = await wantedCertificates(context);
    const authority = await readAuthority(authorityFolder(context.config));
    if (!authority) return { state: 'absent', missing: 'there is no local certificate authority yet' };
    const [faulty] = await faultyAmong(context, wanted, authority.x509);
    if (!faulty) return { state: 'ready', detail: certificateDetail(wanted) };
    return { state: faulty.fault === absent ? 'absent' : 'unready', missing: faultSentence(faulty) };
  },

  async apply(context) {
    const wanted = await wantedCertificates(context);
    const detail = certificateDetail(wanted);
    const authority = await ensureAuthority(authorityFolder(context.config));
    const namespaces = await namespacesOf(context, wanted);
    await waitForTermination(context, namespaces);
    const faulty = await faultyAmong(context, wanted, authority.x509);
    if (faulty.length === 0) return { changed: [], detail };
    await assertNotTheirs(context, faulty);
    const made = await ensureNamespaces(context);
    const secrets = await Promise.all(faulty.map((one) => secretFor(context, one)));
    const kubectl = await context.kubectl();
    const changed = [...made, ...(await kubectl.apply([...namespaces, ...secrets]))];
    context.view().forget();
    const notes = faulty.some(({ fault }) => fault === foreignIssuer)
      ? ['The local certificate authority is a new one: npm run trust tells how to have it trusted.']
      : [];
    return { changed, detail, notes };
  },

  /** The Secrets, also those of hosts that are not asked for any more. The authority is not an object: it stays, and is yours. */
  owns: async () => isOurs,
};

function isOurs({ kind, metadata }: KubeObject): boolean {
  return (
    kind === 'Secret' && Object.entries(certificateLabels).every(([label, value]) => metadata.labels?.[label] === value)
  );
}

/** A Secret that somebody made is not overwritten. Throws a `UserError` where it can't be used as it is. */
async function assertNotTheirs(context: Context, faulty: readonly FaultyCertificate[]): Promise<void> {
  const present = (await context.api().listMetadata('v1', 'Secret')).filter((one) => !isOurs(one) && !wasApplied(one));
  const theirs = faulty.find(({ namespace, name }) =>
    present.some(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
  );
  if (!theirs) return;
  const { namespace, name } = theirs;
  throw new UserError(`${faultSentence(theirs)}. The platform did not create it and does not overwrite it.`, {
    id: 'certificate-not-ours',
    hint: `To get the platform's certificate: kubectl delete secret ${name} --namespace ${namespace}, then npm run up.`,
  });
}

async function secretFor(context: Context, { namespace, name, hosts }: WantedCertificate): Promise<KubeObject> {
  const { certificate, key } = await certificateFor(context, hosts);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace, name, labels: certificateLabels },
    type: 'kubernetes.io/tls',
    // Not stringData, which the API server forgets: what a later apply changes in it can't be told from what it had.
    data: { 'tls.crt': base64(certificate), 'tls.key': base64(key) },
  };
}

function certificateDetail(wanted: readonly WantedCertificate[]): string {
  return [...new Set(wanted.flatMap(({ hosts }) => hosts))].sort().join(', ');
}

/** Every Secret that an Ingress of ours, or of the services at the checked-out commit, takes its certificate from. */
export async function wantedCertificates(context: Context): Promise<WantedCertificate[]> {
  const [ours, services] = await Promise.all([readRoutes(context.config.root), ingressesAtHead(context)]);
  const named = [
    ...(ours.filter(({ kind }) => kind === 'Ingress') as Ingress[]).flatMap(({ metadata, spec }) =>
      (spec.tls ?? []).map(({ secretName, hosts }) => ({
        namespace: metadata.namespace ?? 'default',
        name: secretName,
        hosts: hosts ?? (spec.rules ?? []).flatMap(({ host }) => host ?? []),
      })),
    ),
    ...services.flatMap(({ namespace, tls }) =>
      tls.map(({ secretName, hosts }) => ({ namespace, name: secretName, hosts })),
    ),
  ];
  const merged = new Map<string, WantedCertificate>();
  for (const { namespace, name, hosts } of named) {
    const key = `${namespace}/${name}`;
    const [first, ...others] = [...new Set([...(merged.get(key)?.hosts ?? []), ...hosts])].sort();
    if (name !== undefined && first !== undefined) merged.set(key, { namespace, name, hosts: [first, ...others] });
  }
  return [...merged.values()];
}

/** What was made for this context, by its hosts. */
const certificatesMade = memoizePerContext(async () => new Map<string, Promise<Certificate>>());

/** A new certificate for these hosts, the same for the same hosts. Made while the cluster boots, it costs no time. */
async function certificateFor(context: Context, hosts: WantedCertificate['hosts']): Promise<Certificate> {
  const known = await certificatesMade(context);
  const making = known.get(hosts.join()) ?? makeCertificate(context, hosts);
  known.set(hosts.join(), making);
  return making;
}

async function makeCertificate({ config }: Context, hosts: WantedCertificate['hosts']): Promise<Certificate> {
  // Loaded when it is needed: not by an `up` that finds all certificates in order.
  const { selfSigned, signedBy } = await import('../lib/certificates/certificate.ts');
  if (!hosts.every(isLocal)) return selfSigned(hosts, validDays);
  const { certificate, key } = await ensureAuthority(authorityFolder(config));
  // No *.localhost: most programs take no wildcard right below a top-level name, and Traefik, which sees the certificates
  // of all namespaces at once, would choose one for another's host by it.
  return signedBy({ certificate, key: key.reveal() }, hosts, validDays);
}

/** The namespaces that the Secrets live in, as the components that own them write them; default is always there. */
async function namespacesOf({ config }: Context, wanted: readonly WantedCertificate[]): Promise<KubeObject[]> {
  const observability = await readManifests(config.root, ['observability/prometheus/namespace.yaml']);
  const known = [argocdNamespace, ...observability];
  return known.filter(({ metadata }) => wanted.some(({ namespace }) => namespace === metadata.name));
}

interface FaultyCertificate extends WantedCertificate {
  /** What is wrong with the Secret, as the end of a sentence. */
  fault: string;
}

/** Those that the cluster lacks, or that are of no use any more. */
async function faultyAmong(
  context: Context,
  wanted: readonly WantedCertificate[],
  authority: X509Certificate,
): Promise<FaultyCertificate[]> {
  const looked = wanted.map(async (one) => {
    const present = await readTlsSecret(context, one);
    const fault = present === undefined ? absent : certificateFault(present, one.hosts, authority);
    return fault === undefined ? [] : [{ ...one, fault }];
  });
  return (await Promise.all(looked)).flat();
}

function faultSentence({ namespace, name, fault }: FaultyCertificate): string {
  return `Secret ${namespace}/${name} ${fault}`;
}

const absent = 'is missing';
const foreignIssuer = 'holds a certificate that is not signed by this user’s certificate authority';

/** What is wrong with a certificate for these hosts, or undefined. */
export function certificateFault(
  pair: { certificate: string; key: string },
  hosts: readonly string[],
  authority: X509Certificate,
): string | undefined {
  const x509 = parseCertificate(pair.certificate);
  if (!x509) return 'holds no certificate';
  if (!isKeyOf(x509, pair.key)) return 'holds a key that is not its certificate’s';
  const names = new Set((x509.subjectAltName ?? '').split(', '));
  const uncovered = hosts.find((host) => !names.has(`DNS:${host}`));
  if (uncovered !== undefined) return `holds a certificate that is not for ${uncovered}`;
  if (hosts.every(isLocal) && !x509.verify(authority.publicKey)) return foreignIssuer;
  // Made by a clock that was ahead.
  if (Date.parse(x509.validFrom) > Date.now()) return `holds a certificate that is not valid before ${x509.validFrom}`;
  return daysLeft(x509) < renewDays ? `holds a certificate that ends on ${x509.validTo}` : undefined;
}
