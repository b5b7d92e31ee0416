import { createPrivateKey, X509Certificate } from 'node:crypto';

/** A certificate that was read as PEM, or undefined where it is none. */
export function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** Whether this is the certificate's private key (PEM). */
export function isKeyOf(x509: X509Certificate, key: string): boolean {
  try {
    return x509.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

/** The days until a certificate ends, negative behind its end. */
export function daysLeft({ validTo }: X509Certificate): number {
  return (Date.parse(validTo) - Date.now()) / (24 * 3_600_000);
}

/**
 * The X.509 extension that limits an authority to this machine's own names (RFC 5280, 4.2.1.10): the DNS name localhost
 * with all below it, 127.0.0.0/8 and ::1. Written out as DER, for the X.509 library has no class for it.
 */
export const localNames = {
  oid: '2.5.29.30',
  value: sequence(
    // [0] permittedSubtrees, a list of names. dNSName is [2], iPAddress [7]: the address, and behind it its mask.
    tagged(
      0xa0,
      sequence(tagged(0x82, Buffer.from('localhost'))),
      sequence(tagged(0x87, Buffer.from([127, 0, 0, 0]), Buffer.from([255, 0, 0, 0]))),
      sequence(tagged(0x87, Buffer.from([...Array(15).fill(0), 1]), Buffer.alloc(16, 255))),
    ),
  ),
};

/** Whether a certificate, as DER, has exactly this limit. */
export function isLimitedToLocalNames(certificate: Buffer): boolean {
  const oid = tagged(0x06, Buffer.from([0x55, 0x1d, 0x1e]));
  const critical = tagged(0x01, Buffer.from([0xff]));
  return certificate.includes(sequence(oid, critical, tagged(0x04, localNames.value)));
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, ...parts);
}

/** Tag, length, content. Everything here is shorter than 128 bytes, so the length is a single one. */
function tagged(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, content.length]), content]);
}
