import { statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import type { Context } from '../context.ts';
import { type Account, describeAccount, isoDate, tokenEnding } from './credentials.ts';

/** What `status` and `doctor` show of the credentials. */
export interface CredentialsReport {
  state: 'account' | 'none' | 'refused';
  /** One sentence, and what to do where something is wrong. */
  message: string;
  remedy?: string;
  notes: string[];
  account?: {
    login: string | null;
    scopes: string[] | null;
    /** ISO 8601, or null for a token that doesn't expire or of which GitHub didn't tell. */
    expires: string | null;
    source: string;
    /** The last four characters. */
    ending: string;
    checked: boolean;
  };
}

/** Milliseconds before its end at which a token is worth a word. */
const expirySoonMs = 14 * 24 * 3_600_000;

/** Looks for the account and checks it. Throws `Interrupted` alone. */
export async function reportCredentials({ credentials, config }: Context): Promise<CredentialsReport> {
  try {
    const { account, notes } = await credentials.search();
    if (!account) {
      const why = config.tokens.use === 'none' ? 'GHCR_CREDENTIALS=none' : 'there is no token';
      const images = config.target === undefined ? 'Images are stand-ins' : 'The nodes pull the images as they may';
      return { state: 'none', message: `${images}: ${why}.`, notes };
    }
    return {
      state: 'account',
      message: `Images are pulled with ${account.title}: ${describeAccount(account)}.`,
      notes: [...notes, ...endsSoon(account), ...readByOthers(config.root, account)],
      account: accountJson(account),
    };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { message, hint } = error;
    return {
      state: 'refused',
      message,
      ...(hint !== undefined && { remedy: hint }),
      notes: [],
    };
  }
}

/** The account as a program may read it. */
export function accountJson({ owner, source, token, checked }: Account): NonNullable<CredentialsReport['account']> {
  return {
    login: owner?.login || null,
    scopes: owner?.scopes ?? null,
    expires: owner?.expires?.toISOString() ?? null,
    source,
    ending: tokenEnding(token),
    checked,
  };
}

function endsSoon({ owner }: Account): string[] {
  if (!owner?.expires || owner.expires.getTime() - Date.now() > expirySoonMs) return [];
  return [`The token expires on ${isoDate(owner.expires)}: npm run credentials takes another one.`];
}

/** What npm run credentials saves is its owner's alone; a file that was written by hand may not be. */
function readByOthers(root: string, { source }: Account): string[] {
  const mode = statSync(join(root, '.env'), { throwIfNoEntry: false })?.mode ?? 0;
  if (source !== '.env' || process.platform === 'win32' || (mode & 0o077) === 0) return [];
  return ['Other users of this machine may read the token in .env: chmod 600 .env'];
}
