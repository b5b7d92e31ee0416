import type { Config } from '../../config/config.ts';
import type { Exec } from '../../lib/processes/exec.ts';
import type { Secret } from '../../lib/secret.ts';
import { type Account, findAccount, type Search } from './account.ts';
import { checkToken, type Verdict } from './check.ts';
import { type SourceName, tokenSources } from './token-sources.ts';

/** What the services' images are pulled with. Nothing is looked for before it is asked for, and then once. */
export interface Credentials {
  /** The account and what is to be said about it. Throws a `UsageError` where the token in `.env` doesn't work. */
  search(): Promise<Search>;
  /** The account alone, or undefined: then stand-ins take the images' places. Throws like `search`. */
  account(): Promise<Account | undefined>;
  /** Tries a token on the images that the values name. */
  check(token: Secret, source?: SourceName): Promise<Verdict>;
  /** Goes on with this account, or with none. */
  use(account: Account | undefined): void;
}

interface Setup {
  tokens: Config['tokens'];
  exec: Exec;
  signal: AbortSignal;
  /** The images that the token has to reach. */
  images: () => Promise<string[]>;
}

export function createCredentials({ tokens, exec, signal, images }: Setup): Credentials {
  let found: Promise<Search> | undefined;
  const check: Credentials['check'] = async (token, source) =>
    checkToken(token, { images: await images(), signal, fromGh: source === 'gh' });
  const search = () => {
    const nobody = { account: undefined, notes: [] };
    found ??= tokens.use === 'none' ? Promise.resolve(nobody) : findAccount(tokenSources({ ...tokens, exec }), check);
    return found;
  };
  return {
    search,
    account: async () => (await search()).account,
    check,
    use(account) {
      found = Promise.resolve({ account, notes: [] });
    },
  };
}
