import type { Component, Status } from '../cluster/component.ts';
import { wasApplied } from '../cluster/ownership.ts';
import type { Context } from '../images/context.ts';
import type { Account } from '../images/credentials/credentials.ts';
import { identityOf, type KubeObject, nameOf } from '../kubernetes/objects.ts';
import { readSecret } from '../kubernetes/secret.ts';
import { UserError } from '../lib/errors.ts';
import { canRead } from '../lib/git/remote.ts';
import { base64 } from '../lib/secret.ts';
import { argocdNamespace } from '../repository/applications.ts';
import { isTheirs } from './removal.ts';

const secretName = 'gitops-repository';
const scopes = 'repo and read:packages';
/** The only host that gets to see a GitHub token. */
const github = /^https:\/\/github\.com\//;

/**
 * Lets Argo CD read a private GITOPS_REPO_URL on GitHub, with the account that pulls the images. A public one needs
 * nothing, and for one elsewhere or over ssh Argo CD has to be given a key by hand.
 */
export const repositoryAccess: Component = {
  name: 'repository-access',
  needs: ['argo-cd'],

  async status(context): Promise<Status> {
    if (await isTheirs(context, secret())) return { state: 'ready', detail: theirs };
    const [need, content] = await Promise.all([needOf(context), secretContent(context)]);
    if (need === 'unknown') return { state: 'ready', detail: 'the repository does not answer now' };
    if (need === 'nothing') {
      return content === undefined
        ? { state: 'ready', detail: 'no token needed' }
        : { state: 'unready', missing: `${nameOf(secret())} is there, but not needed any more` };
    }
    if (content === undefined) return { state: 'absent', missing: `${nameOf(secret())} is missing` };
    return content === base64(need.token.reveal())
      ? { state: 'ready', detail: `as ${need.username}` }
      : { state: 'absent', missing: `${nameOf(secret())} holds another token` };
  },

  async apply(context) {
    if (await isTheirs(context, secret())) return { changed: [], detail: theirs };
    const need = await needOf(context);
    // Argo CD keeps asking, and says so while it gets no answer.
    if (need === 'unknown') return { changed: [], detail: 'the repository does not answer now' };
    if (need === 'nothing') return { changed: await removeSecret(context), detail: 'no token needed' };
    const kubectl = await context.kubectl();
    const changed = await kubectl.apply([secret({ url: urlOf(context), account: need })]);
    return { changed, detail: `as ${need.username}` };
  },

  remove: removeSecret,

  async owns() {
    const name = identityOf(secret());
    return (object) => identityOf(object) === name && wasApplied(object);
  },
};

const theirs = `with Secret ${argocdNamespace}/${secretName}, which the platform did not create`;

async function removeSecret(context: Context): Promise<string[]> {
  if ((await secretContent(context)) === undefined || (await isTheirs(context, secret()))) return [];
  const kubectl = await context.kubectl();
  await kubectl.run(['delete', 'secret', secretName, '--namespace', argocdNamespace, '--ignore-not-found']);
  return [`${nameOf(secret())} (removed)`];
}

/** The account without which the repository can't be read. Throws a `UserError` where there is none that can. */
async function needOf(context: Context): Promise<Account | 'nothing' | 'unknown'> {
  const url = urlOf(context);
  if (!github.test(url)) return 'nothing';
  const asAnybody = await canRead(context.exec, url);
  if (asAnybody.state !== 'refused') return asAnybody.state === 'readable' ? 'nothing' : 'unknown';
  const account = await context.credentials.account();
  if (!account) {
    throw new UserError(`${url} is private or does not exist, and there is no token to read it with.`, {
      hint: `npm run credentials, with a classic token that has the scopes ${scopes}.`,
    });
  }
  const asOwner = await canRead(context.exec, url, { username: account.username, password: account.token });
  if (asOwner.state !== 'refused') return asOwner.state === 'readable' ? account : 'unknown';
  throw new UserError(
    account.owner?.scopes?.includes('repo') === false
      ? `The token of ${account.username} may not read ${url}: it lacks the scope repo.`
      : `${account.username} may not read ${url}, or it does not exist.`,
    { hint: `npm run credentials, with a classic token of somebody who reads it, with the scopes ${scopes}.` },
  );
}

function urlOf({ config }: Context): string {
  return config.gitops?.repoUrl ?? '';
}

/** The password in the cluster's secret, as base64, or undefined where there is none. */
async function secretContent(context: Context): Promise<string | undefined> {
  const data = await readSecret(context, { namespace: argocdNamespace, name: secretName });
  return data && (data.password ?? '');
}

/** A repository as Argo CD reads it ("Declarative Setup", Repositories); without content, to name it. */
function secret(content?: { url: string; account: Account }): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: secretName,
      namespace: argocdNamespace,
      labels: { 'argocd.argoproj.io/secret-type': 'repository' },
    },
    ...(content && {
      data: {
        type: base64('git'),
        url: base64(content.url),
        username: base64(content.account.username),
        password: base64(content.account.token.reveal()),
      },
    }),
  };
}
