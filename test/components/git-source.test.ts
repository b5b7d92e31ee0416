import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { removeRepositorySecret, repositoryAccess } from '../../scripts/components/repository-access.ts';
import { addServers, lookForKey } from '../../scripts/components/repository-key.ts';
import type { Account } from '../../scripts/images/credentials/credentials.ts';
import { ApiError } from '../../scripts/kubernetes/api/api.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import { createExec, type Exec } from '../../scripts/lib/exec.ts';
import { canRead } from '../../scripts/lib/git/remote.ts';
import { Secret } from '../../scripts/lib/secret.ts';
import { everyKind, fakeContext, refusal, temporaryFolder } from '../support/fakes.ts';
import { commit, createRepository, git, gitEnvironment } from '../support/repository.ts';

const folder = await temporaryFolder();
commit(createRepository(join(folder, 'work')), 'Start', { a: '1' });
git(folder, 'clone', '--quiet', '--bare', join(folder, 'work'), join(folder, 'private.git'));
git(join(folder, 'private.git'), 'update-server-info');
git(folder, 'init', '--quiet', '--bare', join(folder, 'empty.git'));
git(join(folder, 'empty.git'), 'update-server-info');

const logins: (string | undefined)[] = [];
/** Serves the folder as files, which Git can read as well, to those who know the password. */
const server = createServer((request, response) => {
  const [kind, value = ''] = request.headers.authorization?.split(' ') ?? [];
  const login = kind === 'Basic' ? Buffer.from(value, 'base64').toString('utf8') : undefined;
  const file = join(folder, new URL(request.url ?? '', 'http://x').pathname);
  logins.push(login);
  if (login !== 'ann:ghp_good') response.writeHead(401, { 'www-authenticate': 'Basic realm="GitHub"' }).end();
  else if (!existsSync(file) || statSync(file).isDirectory()) response.writeHead(404).end();
  else response.end(readFileSync(file));
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
after(() => server.close());
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const commands: (readonly string[])[] = [];
const exec: Exec = createExec({
  env: everyKind({ ...gitEnvironment, HOME: folder }),
  signal: new AbortController().signal,
  onCommand: (command) => void commands.push(command),
});
const login = (password: string) => ({ username: 'ann', password: new Secret(password) });

test('a private repository is read with the password, and by nobody else', async () => {
  assert.deepEqual(await canRead(exec, `${origin}/private.git`), { state: 'refused' });
  assert.deepEqual(await canRead(exec, `${origin}/private.git`, login('ghp_bad')), { state: 'refused' });
  assert.deepEqual(await canRead(exec, `${origin}/private.git`, login('ghp_good')), { state: 'readable' });
  assert(logins.includes('ann:ghp_good'));
});

test('one without a branch is read as well, and one that does not exist is not', async () => {
  assert.deepEqual(await canRead(exec, `${origin}/empty.git`, login('ghp_good')), { state: 'readable' });
  assert.deepEqual(await canRead(exec, `${origin}/none.git`, login('ghp_good')), { state: 'refused' });
});

test('a server that does not answer is no refusal', async () => {
  const { state } = await canRead(exec, 'http://127.0.0.1:1/private.git', login('ghp_good'));
  assert.equal(state, 'unreachable');
});

test('the password is in no argument', () => {
  assert(commands.length > 0);
  for (const command of commands) assert(!command.join(' ').includes('ghp_'), command.join(' '));
});

const url = 'https://github.com/ann/ops.git';
const ann: Account = {
  token: new Secret('ghp_good'),
  username: 'ann',
  owner: { login: 'ann', scopes: ['repo', 'read:packages'], expires: undefined },
  source: '.env',
  title: 'GITHUB_TOKEN in .env',
  checked: true,
};

/** A cluster that follows a repository, which is as said; `held` is the password that its secret has. */
function fakeCluster(parts: {
  repoUrl?: string;
  open?: boolean;
  account?: Account;
  down?: boolean;
  held?: string;
  theirs?: boolean;
}) {
  const applied: KubeObject[] = [];
  const run: string[] = [];
  const answer: Exec = async (_, options = {}) => {
    if (parts.down) return { stdout: '', stderr: 'Could not resolve host: github.com', exitCode: 128 };
    const readable = parts.open || String(options.input).includes('password=ghp_good');
    return { stdout: '', stderr: readable ? '' : 'fatal: could not read Username', exitCode: readable ? 0 : 128 };
  };
  const context = fakeContext({
    config: { gitops: { repoUrl: parts.repoUrl ?? url, revision: 'main' } },
    exec: answer,
    credentials: { account: async () => parts.account },
    api: () => ({
      json: async (path: string) => {
        if (parts.held === undefined) throw new ApiError(path, 404, '');
        return { data: { password: Buffer.from(parts.held).toString('base64') } };
      },
      listMetadata: async () => {
        const managedFields = parts.theirs ? [] : [{ manager: 'platform-ops', operation: 'Apply' }];
        const metadata = { name: 'gitops-repository', namespace: 'argocd', managedFields };
        return parts.held === undefined ? [] : [{ apiVersion: 'v1', kind: 'Secret', metadata }];
      },
    }),
    kubectl: async () => ({
      apply: async (objects: KubeObject[]) => void applied.push(...objects),
      run: async (args: string[]) => void run.push(args.slice(0, 3).join(' ')),
    }),
  });
  return { context, applied, run };
}

test('a private repository gets the secret that Argo CD looks for', async () => {
  const { context, applied } = fakeCluster({ account: ann });
  assert.match(JSON.stringify(await repositoryAccess.status(context)), /absent.*gitops-repository is missing/);
  await repositoryAccess.apply(context);
  const [secret] = applied;
  assert.deepEqual(secret?.metadata, {
    name: 'gitops-repository',
    namespace: 'argocd',
    labels: { 'argocd.argoproj.io/secret-type': 'repository' },
  });
  const data = Object.entries(secret?.data as Record<string, string>);
  assert.deepEqual(
    Object.fromEntries(data.map(([name, value]) => [name, Buffer.from(value, 'base64').toString('utf8')])),
    { type: 'git', url, username: 'ann', password: 'ghp_good' },
  );
});

test('one that holds this token is ready, one that holds another is not', async () => {
  const state = async (held: string) =>
    (await repositoryAccess.status(fakeCluster({ account: ann, held }).context)).state;
  assert.deepEqual([await state('ghp_good'), await state('ghp_old')], ['ready', 'absent']);
});

test('a public repository needs no secret, and one from before goes', async () => {
  const { context, applied, run } = fakeCluster({ open: true, account: ann, held: 'ghp_good' });
  assert.equal((await repositoryAccess.status(context)).state, 'unready');
  await repositoryAccess.apply(context);
  assert.deepEqual([applied, run], [[], ['delete secret gitops-repository']]);
});

test('a secret of that name that somebody made is used, and neither replaced nor removed', async () => {
  for (const open of [true, false]) {
    const { context, applied, run } = fakeCluster({ open, account: ann, held: 'ghp_mine', theirs: true });
    assert.match(JSON.stringify(await repositoryAccess.status(context)), /ready.*which the platform did not create/);
    await repositoryAccess.apply(context);
    assert.deepEqual(await removeRepositorySecret(context), []);
    assert.deepEqual([applied, run], [[], []]);
  }
});

test('while GitHub does not answer, everything stays as it is', async () => {
  const { context, applied, run } = fakeCluster({ down: true, account: ann, held: 'ghp_old' });
  assert.equal((await repositoryAccess.status(context)).state, 'ready');
  await repositoryAccess.apply(context);
  assert.deepEqual([applied, run], [[], []]);
});

test('a GitHub token is shown to no other host', async () => {
  for (const repoUrl of [
    'https://git.example.com/ann/ops.git',
    'https://github.com.evil.example/x',
    'git@github.com:a/b',
  ]) {
    for (const open of [true, false]) {
      const { context, applied } = fakeCluster({ repoUrl, account: ann, open });
      const answer = context.exec;
      context.exec = (command, options) => {
        assert.doesNotMatch(JSON.stringify([command, options?.input]), /ghp_/);
        return answer(command, options);
      };
      await repositoryAccess.apply(context).catch(() => {});
      assert.deepEqual(applied, []);
    }
  }
});

const ssh = 'git@git.example.com:ann/ops.git';
const https = 'https://git.example.com/ann/ops.git';
const known = 'github.com ssh-ed25519 AAAA\n[git.example.com]:2222,other ssh-ed25519 AAAA\n';

/** A repository Secret with these values, as somebody made it. */
function secretOf(values: Record<string, string>, type = 'repository'): KubeObject {
  const data = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, btoa(value)]));
  const metadata = { name: 'gitops-key', namespace: 'argocd', labels: { 'argocd.argoproj.io/secret-type': type } };
  return { apiVersion: 'v1', kind: 'Secret', metadata, data };
}

for (const [what, repoUrl, secret, hosts, expected] of [
  [
    'ssh, without a key',
    ssh,
    undefined,
    '',
    /needs a key for git@git\.example[\s\S]*--from-file=sshPrivateKey=FILE && .*label secret/,
  ],
  ['ssh, with a key for the same address', ssh, { url: ssh, sshPrivateKey: 'k' }, 'git.example.com x y', undefined],
  [
    'ssh, written otherwise',
    ssh,
    { url: 'ssh://git@git.example.com/ann/ops', sshPrivateKey: 'k' },
    'git.example.com x y',
    undefined,
  ],
  ['ssh, with a password alone', ssh, { url: ssh, password: 'p' }, 'git.example.com x y', /needs a key/],
  ['ssh, with a key for https', ssh, { url: https, sshPrivateKey: 'k' }, 'git.example.com x y', /needs a key/],
  [
    'ssh, by a server that is not known',
    ssh,
    { url: ssh, sshPrivateKey: 'k' },
    known,
    /does not know[\s\S]*ssh-keyscan git\.example\.com >> cluster\/argocd\/ssh_known_hosts/,
  ],
  [
    'ssh, by a server that need not be known',
    ssh,
    { url: ssh, sshPrivateKey: 'k', insecure: 'true' },
    known,
    undefined,
  ],
  ['ssh, by a server that may be a hashed one', ssh, { url: ssh, sshPrivateKey: 'k' }, '|1|a=|b= x y', undefined],
  ['ssh at GitHub', 'git@github.com:a/b', { url: 'git@github.com:a/b', sshPrivateKey: 'k' }, known, undefined],
  [
    'ssh at a port',
    'ssh://git@git.example.com:2222/a',
    { url: 'ssh://git@git.example.com:2222/a', sshPrivateKey: 'k' },
    known,
    undefined,
  ],
  [
    'ssh at another port',
    'ssh://git@git.example.com:22022/a',
    { url: 'ssh://git@git.example.com:22022/a', sshPrivateKey: 'k' },
    known,
    /ssh-keyscan -p 22022 git/,
  ],
  [
    'https, private',
    https,
    undefined,
    '',
    /needs a password for https:\/\/git[\s\S]*--from-literal=username=NAME --from-file=password=FILE/,
  ],
  ['https, with a password', https, { url: https, password: 'p', username: 'u' }, '', undefined],
  ['https, with the password of another one', https, { url: `${https}2`, password: 'p' }, '', /needs a password/],
] as const) {
  test(`what Argo CD lacks for a repository elsewhere: ${what}`, async () => {
    const { context, applied } = fakeCluster({ repoUrl, account: ann });
    const list = async () => (secret ? [secretOf(secret)] : []);
    Object.assign(context, { api: () => ({ ...fakeApi(hosts), list }) });
    const status = await repositoryAccess.status(context);
    if (expected === undefined) {
      assert.deepEqual(status, { state: 'ready', detail: 'with Secret argocd/gitops-key' });
      await repositoryAccess.apply(context);
    } else {
      assert.equal(status.state, 'unready');
      const { error, text } = await refusal(() => repositoryAccess.apply(context));
      assert.match(text, expected);
      assert.match(`${error.id}`, /^repository-(host-)?key$/);
    }
    assert.deepEqual(applied, []);
  });
}

/** An API server that has these keys of SSH servers. */
function fakeApi(hosts: string) {
  return {
    listMetadata: async () => [],
    json: async (path: string) => {
      if (!path.endsWith('/configmaps/argocd-ssh-known-hosts-cm')) throw new ApiError(path, 404, '');
      return { data: { ssh_known_hosts: hosts } };
    },
  };
}

test('SSH servers that a file adds stand behind those of the release', () => {
  const data = { ssh_known_hosts: 'github.com ssh-rsa AAAA\n' };
  const more = 'git.example.com ssh-ed25519 BBBB\n';
  assert.deepEqual(addServers(data, `# ours\n${more}`), { ssh_known_hosts: `github.com ssh-rsa AAAA\n${more}` });
  assert.equal(addServers(data, '# none\n'), data);
});

test('a Secret for all repositories of an owner is one for this one, and a public one elsewhere needs none', async () => {
  const creds = secretOf({ url: 'https://git.example.com/ann/', password: 'p' }, 'repo-creds');
  const { context } = fakeCluster({ repoUrl: https });
  Object.assign(context, { api: () => ({ ...fakeApi(''), list: async () => [creds] }) });
  assert.equal((await lookForKey(context, https)).detail, 'with Secret argocd/gitops-key');
  assert.equal((await lookForKey(context, https, { inCluster: false })).fault?.id, 'repository-key');
  assert.equal((await lookForKey(context, 'https://git.example.com/bob/ops.git')).fault?.id, 'repository-key');
  assert.deepEqual(await lookForKey(fakeCluster({ open: true }).context, https), {});
  assert.equal((await lookForKey(fakeCluster({ down: true }).context, https)).fault, undefined);
});

test('without a token, or with one that may not read it, it is said what to do', async () => {
  const said = async (account?: Account) =>
    (await refusal(() => repositoryAccess.apply(fakeCluster(account ? { account } : {}).context))).text;
  assert.match(await said(), /private or does not exist.*\n.*npm run credentials.*repo and read:packages/);
  const weak = { ...ann, token: new Secret('ghp_weak') };
  assert.match(await said(weak), /ann may not read/);
  const unscoped = { ...weak, owner: { login: 'ann', scopes: ['read:packages'], expires: undefined } };
  const text = await said(unscoped);
  assert.match(text, /lacks the scope repo/);
  assert.doesNotMatch(text, /ghp_/);
});
