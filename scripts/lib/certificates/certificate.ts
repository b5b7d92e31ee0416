import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  type JsonName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { localNames } from './x509.ts';

export interface Certificate {
  /** PEM. */
  certificate: string;
  /** PEM, PKCS #8. */
  key: string;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const hour = 3_600_000;
const serverOnly = () => new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]);

/** Makes a certificate that signs itself: who trusts it trusts the server of these hosts, and nothing else. */
export async function selfSigned(hosts: readonly [string, ...string[]], days: number): Promise<Certificate> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned(
    { ...common(commonName(hosts), days), keys, extensions: [names(hosts), serverOnly()] },
    webcrypto,
  );
  return toPem(certificate, keys);
}

/**
 * Makes a certificate authority that can vouch for this machine's own names only: localhost, what ends in .localhost,
 * and the loopback addresses. Critical, so a program that doesn't know such a limit has to refuse it (RFC 5280, 4.2.1.10).
 */
export async function createLocalAuthority(name: string, days: number): Promise<Certificate> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      ...common([{ CN: [name] }], days),
      keys,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        serverOnly(),
        new Extension(localNames.oid, true, localNames.value),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return toPem(certificate, keys);
}

/** Makes a certificate for these hosts, signed by an authority, which it does not outlive. */
export async function signedBy(
  authority: Certificate,
  hosts: readonly [string, ...string[]],
  days: number,
): Promise<Certificate> {
  const issuer = new X509Certificate(authority.certificate);
  const [keys, signingKey] = await Promise.all([
    newKeys(),
    webcrypto.subtle.importKey('pkcs8', PemConverter.decodeFirst(authority.key), algorithm, false, ['sign']),
  ]);
  const fields = common(commonName(hosts), days);
  const certificate = await X509CertificateGenerator.create(
    {
      ...fields,
      notAfter: new Date(Math.min(fields.notAfter.getTime(), issuer.notAfter.getTime())),
      issuer: issuer.subjectName.toJSON(),
      publicKey: keys.publicKey,
      signingKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        serverOnly(),
        names(hosts),
        await AuthorityKeyIdentifierExtension.create(await issuer.publicKey.export(webcrypto), false, webcrypto),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return toPem(certificate, keys);
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

function common(name: JsonName, days: number) {
  const now = Date.now();
  return {
    name,
    subject: name,
    // Positive, as every program expects it, and never the same twice.
    serialNumber: `4${randomBytes(16).toString('hex').slice(1)}`,
    // The clock of a virtual machine may be behind this machine's.
    notBefore: new Date(now - hour),
    notAfter: new Date(now - hour + days * 24 * hour),
    signingAlgorithm: algorithm,
  };
}

/**
 * For people who look at it; it may have 64 characters at most (RFC 5280, ub-common-name). The names count. An address
 * can't stand here: OpenSSL takes it for a DNS name where there is no other.
 */
function commonName(hosts: readonly string[]): JsonName {
  return [{ CN: [(hosts.find((host) => isIP(host) === 0) ?? 'this machine').slice(0, 64)] }];
}

function names(hosts: readonly string[]): SubjectAlternativeNameExtension {
  return new SubjectAlternativeNameExtension(
    hosts.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
  );
}

async function toPem(certificate: X509Certificate, { privateKey }: webcrypto.CryptoKeyPair): Promise<Certificate> {
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', privateKey);
  return {
    certificate: `${certificate.toString('pem')}\n`,
    key: `${PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`,
  };
}
