import type { Unanswered } from '../../lib/download/web.ts';
import type { ImageName } from '../registry/registry.ts';

/** One sentence of what is wrong with a token, one of what to do. */
export interface Said {
  message: string;
  remedy: string;
}

/** GitHub's page for a new classic token, with the scope ticked and the name filled in. */
export const newTokenLink = 'https://github.com/settings/tokens/new?scopes=read:packages&description=platform-ops';
const makeOne = `Make a classic token with the scope read:packages: ${newTokenLink}`;
const loginAgain = 'gh auth login --hostname github.com --scopes read:packages';

export function unknown(fromGh = false): Said {
  return {
    message: 'GitHub does not know this token: it was mistyped, has expired or was revoked.',
    remedy: fromGh ? loginAgain : makeOne,
  };
}

export function fineGrained(): Said {
  return { message: 'This is a fine-grained token, and GHCR takes classic ones only.', remedy: makeOne };
}

export function scope(has: readonly string[], fromGh = false): Said {
  const scopes = has.length === 0 ? 'no scope at all' : `only ${has.join(', ')}`;
  return {
    message: `This token may not read packages: it has ${scopes}, and needs read:packages.`,
    remedy: fromGh
      ? 'gh auth refresh --hostname github.com --scopes read:packages'
      : `Tick read:packages for it at https://github.com/settings/tokens, or make another one: ${newTokenLink}`,
  };
}

export function turnedAway(login: string): Said {
  const whose = login === '' ? 'This token' : `This token of ${login}`;
  return { message: `${whose} is none that GHCR takes: only classic ones will do.`, remedy: makeOne };
}

export function singleSignOn(organisation: string, link: string): Said {
  return {
    message: `${organisation} demands single sign-on, and this token is not authorised for it yet.`,
    remedy: `Open this within the hour, and authorise it: ${link}`,
  };
}

export function noAccess(login: string | undefined, denied: readonly ImageName[]): Said {
  const owners = [...new Set(denied.map(({ repository }) => repository.split('/')[0] ?? ''))].join(' and ');
  const names = denied.map(({ repository }) => repository).join(', ');
  return {
    message: `${login || "This token's owner"} may not read these packages of ${owners}: ${names}.`,
    remedy: `Ask ${owners} for the role Read on them (Package settings, Manage access), or use a token of an account that has it.`,
  };
}

export function noSuchImage(missing: readonly ImageName[]): Said {
  const names = missing
    .map(({ registry, repository, reference }) => `${registry}/${repository}:${reference}`)
    .join(', ');
  return {
    message: `GHCR has no ${names}: the package or the tag does not exist.`,
    remedy: 'Correct image.repository and image.tag in helm/*/values.yaml and commit, or push the image.',
  };
}

/** Not a failure: what is not known is left to show itself. */
export function unchecked({ message }: Unanswered): string {
  return `The token could not be checked (${message}), and is used as it is.`;
}
