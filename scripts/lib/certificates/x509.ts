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
