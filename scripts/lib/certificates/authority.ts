import { X509Certificate } from 'node:crypto';
import { chmod, mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, UserError } from '../errors.ts';
import { readFileOrPipe, writeWhole } from '../files.ts';
import { lock } from '../lock.ts';
import { Secret } from '../secret.ts';
import type { Certificate } from './certificate.ts';
import { daysLeft, isKeyOf, isLimitedToLocalNames, parseCertificate } from './x509.ts';

/** A certificate authority of this user, which can vouch for this machine's own names only. */
export interface Authority {
  /** PEM. */
  certificate: string;
  x509: X509Certificate;
  key: Secret;
  /** Whether it was made just now. */
  made: boolean;
}

/** What its name begins with; a part of its own follows, so that programs can tell two of them apart. */
export const authorityName = 'platform-ops local authority';
/** Ten years: having it trusted again is work for you. */
const validDays = 3650;
/** An authority that ends sooner is recreated. Longer than the certificates' own notice, so that they never end with it. */
const noticeDays = 60;

/** Where the certificate lies in the authority's folder. */
export function certificateFile(folder: string): string {
  return join(folder, 'ca.crt');
}

/** The authority's certificate, or undefined where there is none that can be used. Changes nothing, and reads no key. */
export async function readAuthority(
  folder: string,
): Promise<{ certificate: string; x509: X509Certificate } | undefined> {
  const certificate = readFileOrPipe(certificateFile(folder));
  if (certificate === undefined) return undefined;
  const x509 = parseCertificate(certificate);
  return x509 === undefined || faultOf(x509) !== undefined ? undefined : { certificate, x509 };
}

/**
 * The authority that lies in this folder; makes one where there is none, or none that can be used. Two commands at the
 * same time get the same. Throws a `UserError` where it belongs to another user, the folder can't be written to, or the
 * clock says that the authority is not valid yet: a clock that is wrong for a moment must not cost the trust in it.
 */
export async function ensureAuthority(folder: string): Promise<Authority> {
  try {
    return (await loadAuthority(folder)) ?? (await createAuthority(folder));
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    throw new UserError(`The local certificate authority can't be kept in ${folder}: ${messageOf(error)}`, {
      id: 'authority',
      hint: 'Let this folder belong to you, or name another place by XDG_DATA_HOME.',
      cause: error,
    });
  }
}

async function createAuthority(folder: string): Promise<Authority> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await restrictToOwner(folder);
  const unlock = await lock(`${folder}.lock`, {
    what: 'the local certificate authority',
    patience: 20_000,
    signal: new AbortController().signal,
  });
  try {
    const meanwhile = await loadAuthority(folder);
    if (meanwhile) return meanwhile;
    // Loaded when it is needed: once for each user of a machine.
    const [{ createLocalAuthority }, { randomBytes }] = await Promise.all([
      import('./certificate.ts'),
      import('node:crypto'),
    ]);
    const made = await createLocalAuthority(`${authorityName} ${randomBytes(4).toString('hex')}`, validDays);
    writeWhole(keyFile(folder), made.key, { ownerOnly: true });
    writeWhole(certificateFile(folder), made.certificate);
    return authorityOf(made, true);
  } finally {
    unlock();
  }
}

function keyFile(folder: string): string {
  return join(folder, 'ca.key');
}

function authorityOf({ certificate, key }: Certificate, made: boolean): Authority {
  return { certificate, x509: new X509Certificate(certificate), key: new Secret(key), made };
}

/** What lies in the folder, or undefined if it is of no use. Others are kept from reading the key. */
async function loadAuthority(folder: string): Promise<Authority | undefined> {
  const certificate = readFileOrPipe(certificateFile(folder));
  const key = await readKey(folder);
  if (certificate === undefined || key === undefined) return undefined;
  const x509 = parseCertificate(certificate);
  if (x509 === undefined || !isKeyOf(x509, key)) return undefined;
  const fault = faultOf(x509);
  if (fault === notYetValid) throw fromTheFuture(folder, x509);
  return fault === undefined ? authorityOf({ certificate, key }, false) : undefined;
}

function fromTheFuture(folder: string, { validFrom }: X509Certificate): UserError {
  const now = new Date().toUTCString();
  return new UserError(
    `The local certificate authority in ${folder} is not valid before ${validFrom}, and the clock of this machine says ${now}.`,
    {
      id: 'clock',
      hint: `Set the clock, if that is not the time. If it is, the authority was made by a wrong clock: npm run trust -- --remove, then rm -r "${folder}" and npm run up.`,
    },
  );
}

async function readKey(folder: string): Promise<string | undefined> {
  const file = await open(keyFile(folder)).catch(ignoreMissing);
  if (file === undefined) return undefined;
  try {
    await restrictToOwner(folder);
    const { uid, mode } = await file.stat();
    assertOwner(keyFile(folder), uid);
    if ((mode & 0o077) !== 0) await file.chmod(0o600);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** The folder has to be this user's, and nobody else's to look into. */
async function restrictToOwner(folder: string): Promise<void> {
  const { uid, mode } = await stat(folder);
  assertOwner(folder, uid);
  if ((mode & 0o077) !== 0) await chmod(folder, 0o700);
}

function assertOwner(path: string, uid: number): void {
  // Windows knows no such number.
  const user = process.getuid?.();
  if (user === undefined || uid === user) return;
  throw new UserError(`${path} belongs to another user (${uid}), who could pretend to be any of your local servers.`, {
    id: 'authority',
    hint: `Run this as that user, or remove it: rm -r "${path}"`,
  });
}

const notYetValid = 'not valid yet';

/** Why it can't be used, or undefined. */
function faultOf(x509: X509Certificate): string | undefined {
  if (!x509.ca || !isLimitedToLocalNames(x509.raw)) return 'not limited to local names';
  if (Date.parse(x509.validFrom) > Date.now()) return notYetValid;
  return daysLeft(x509) < noticeDays ? 'about to expire' : undefined;
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
