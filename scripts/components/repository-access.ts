import type { Component, Status } from '../cluster/component.ts';
import { wasApplied } from '../cluster/ownership.ts';
import { githubUrl } from '../config/settings.ts';
import type { Context } from '../images/context.ts';
import type { Account } from '../images/credentials/credentials.ts';
import { identityOf, type KubeObject, nameOf } from '../kubernetes/objects.ts';
import { readSecret } from '../kubernetes/secret.ts';
import { UserError } from '../lib/errors.ts';
import { canRead } from '../lib/git/remote.ts';
import { base64 } from '../lib/secret.ts';
import { argocdNamespace } from '../repository/applications.ts';
import { isTheirs } from './removal.ts';
import { lookForKey } from './repository-key.ts';

const repositorySecretName = 'gitops-repository';
const tokenScopes = 'repo and read:packages';
/**
 * Lets Argo CD read a private GITOPS_REPO_URL on GitHub, with the account that pulls the images. A public one needs
 * nothing, and for a private one elsewhere or over ssh you make the Secret.
 */
export const repositoryAccess: Component = {
  name: 'repository-access',
  needs: ['argo-cd'],

  async status(context): Promise<Status> {
    const { fault, detail } = await lookForKey(context, repositoryUrl(context));
    if (fault) return { state: 'unready', missing: fault.message, hint: fault.hint };
    if (await isTheirs(context, repositorySecret())) return { state: 'ready', detail: theirs };
    const [need, content] = await Promise.all([requiredAccount(context), savedPassword(context)]);
    const title = nameOf(repositorySecret());
    if (need === 'nothing' && content !== undefined)
      return { state: 'unready', missing: `${title} is there, but not needed any more` };
    if (typeof need === 'string' || content === base64(need.token.reveal()))
      return { state: 'ready', detail: detail ?? needDetail(need) };
    return { state: 'absent', missing: `${title} ${content === undefined ? 'is missing' : 'holds another token'}` };
  },

  async apply(context) {
    const key = await lookForKey(context, repositoryUrl(context));
    if (key.fault) throw key.fault;
    if (await isTheirs(context, repositorySecret())) return { changed: [], detail: theirs };
    const need = await requiredAccount(context);
    const detail = key.detail ?? needDetail(need);
    if (need === 'unknown') return { changed: [], detail };
    if (need === 'nothing') return { changed: await removeRepositorySecret(context), detail };
    const kubectl = await context.kubectl();
    return { changed: await kubectl.apply([repositorySecret({ url: repositoryUrl(context), account: need })]), detail };
  },

  async owns() {
    const name = identityOf(repositorySecret());
    return (object) => identityOf(object) === name && wasApplied(object);
  },
};

const theirs = `with Secret ${argocdNamespace}/${repositorySecretName}, which the platform did not create`;

/** Removes the Secret from the cluster. Returns what it did. */
export async function removeRepositorySecret(context: Context): Promise<string[]> {
  if ((await savedPassword(context)) === undefined || (await isTheirs(context, repositorySecret()))) return [];
  const kubectl = await context.kubectl();
  await kubectl.run(['delete', 'secret', repositorySecretName, '--namespace', argocdNamespace, '--ignore-not-found']);
  return [`${nameOf(repositorySecret())} (removed)`];
}

function needDetail(need: Account | 'nothing' | 'unknown'): string {
  if (need === 'nothing') return 'no token needed';
  // Argo CD keeps asking, and says so while it gets no answer.
  return need === 'unknown' ? 'the repository does not answer now' : `as ${need.username}`;
}

/** The account without which the repository can't be read. Throws a `UserError` where there is none that can. */
async function requiredAccount(context: Context): Promise<Account | 'nothing' | 'unknown'> {
  const url = repositoryUrl(context);
  if (!githubUrl.test(url)) return 'nothing';
  const anonymous = await canRead(context.exec, url);
  if (anonymous.state !== 'refused') return anonymous.state === 'readable' ? 'nothing' : 'unknown';
  const account = await context.credentials.account();
  if (!account) {
    throw new UserError(`${url} is private or does not exist, and there is no token to read it with.`, {
      id: 'repository-private',
      hint: `npm run credentials, with a classic token that has the scopes ${tokenScopes}.`,
    });
  }
  const asOwner = await canRead(context.exec, url, { username: account.username, password: account.token });
  if (asOwner.state !== 'refused') return asOwner.state === 'readable' ? account : 'unknown';
  const why =
    account.owner?.scopes?.includes('repo') === false
      ? `The token of ${account.username} may not read ${url}: it lacks the scope repo.`
      : `${account.username} may not read ${url}, or it does not exist.`;
  throw new UserError(why, {
    id: 'repository-private',
    hint: `npm run credentials, with a classic token of somebody who reads it, with the scopes ${tokenScopes}.`,
  });
}

function repositoryUrl({ config }: Context): string {
  return config.gitops?.repoUrl ?? '';
}

/** The password in the cluster's secret, as base64, or undefined where there is none. */
async function savedPassword(context: Context): Promise<string | undefined> {
  const data = await readSecret(context, { namespace: argocdNamespace, name: repositorySecretName });
  return data && (data.password ?? '');
}

/** A repository as Argo CD reads it ("Declarative Setup", Repositories); without content, to name it. */
function repositorySecret(content?: { url: string; account: Account }): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: repositorySecretName,
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
