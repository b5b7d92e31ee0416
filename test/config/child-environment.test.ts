import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import { childEnvironments, withoutTokens } from '../../scripts/config/child-environment.ts';
import { createExec, type Environments, type Exec } from '../../scripts/lib/exec.ts';
import { readCheckout, uncommittedFiles } from '../../scripts/lib/git/checkout.ts';
import { changedFiles, filesAt } from '../../scripts/lib/git/commits.ts';
import { canRead } from '../../scripts/lib/git/remote.ts';
import { gitIn } from '../../scripts/lib/git/run.ts';
import { programFiles } from '../house/imports.ts';
import { temporaryFolder } from '../support/fakes.ts';
import { commit, createRepository, git, gitEnvironment, write } from '../support/repository.ts';
import { textOf } from '../support/tracked-files.ts';

const canary = 'canaryCanary';
const folder = await temporaryFolder();
const { signal } = new AbortController();
const kinds = ['probe', 'tool', 'user'] as const;
const seenBy = (environment: Record<string, string>) => {
  const all = childEnvironments(environment, '/state');
  return Object.fromEntries(kinds.map((kind) => [kind, all[kind]])) as unknown as Environments;
};

test('each kind of child sees what it needs, and nothing else', () => {
  const rows: Record<string, (typeof kinds)[number][]> = {
    PATH: ['probe', 'tool', 'user'],
    HOME: ['probe', 'tool', 'user'],
    MISE_DATA_DIR: ['probe', 'tool', 'user'],
    DOCKER_HOST: ['tool', 'user'],
    HTTPS_PROXY: ['tool', 'user'],
    AWS_SECRET_ACCESS_KEY: ['tool', 'user'],
    GIT_CONFIG_GLOBAL: ['tool', 'user'],
    GIT_SSL_CAINFO: ['tool', 'user'],
    MISE_GITHUB_TOKEN: ['tool', 'user'],
    GITHUB_TOKEN: ['user'],
    GH_ENTERPRISE_TOKEN: ['user'],
    GIT_SSH_COMMAND: ['user'],
    GIT_ASKPASS: ['user'],
    GIT_AUTHOR_NAME: ['user'],
    KUBECONFIG: ['user'],
    KUBECTL_KUBERC: ['user'],
    KIND_EXPERIMENTAL_PROVIDER: ['user'],
    HELM_KUBECONTEXT: ['user'],
    DOCKER_CONTEXT: ['tool', 'user'],
    DOCKER_CONFIG: ['tool', 'user'],
    DOCKER_DEFAULT_PLATFORM: ['user'],
    DOCKER_CONTENT_TRUST: ['user'],
    DOCKER_BUILDKIT: ['user'],
    BUILDX_BUILDER: ['user'],
    PS_FORMAT: ['user'],
    TAR_OPTIONS: ['user'],
    BASH_ENV: ['user'],
    ENV: ['user'],
    'BASH_FUNC_x%%': ['user'],
    SHELLOPTS: [],
    GIT_DIR: [],
    GIT_INDEX_FILE: [],
    GIT_OBJECT_DIRECTORY: [],
    GIT_LITERAL_PATHSPECS: [],
    GIT_TRACE: [],
    GIT_DISCOVERY_ACROSS_FILESYSTEM: ['tool', 'user'],
    npm_config_json: [],
  };
  const environment = Object.fromEntries(Object.keys(rows).map((name) => [name, canary]));
  const seen = seenBy(environment);
  const names = (kind: (typeof kinds)[number]) => Object.keys(rows).filter((name) => seen[kind][name] === canary);
  for (const kind of kinds)
    assert.deepEqual(
      names(kind),
      Object.keys(rows).filter((name) => rows[name]?.includes(kind)),
      kind,
    );
  assert.deepEqual(
    ['KUBERC', 'HELM_PLUGINS', 'HELM_REGISTRY_CONFIG', 'PLATFORM_OPS_STARTED_FOR'].map((name) => seen.tool[name]),
    ['off', '/dev/null', '/dev/null', '/state'],
  );
  assert.equal(seen.user.PLATFORM_OPS_STARTED_FOR, undefined);
  assert.equal(withoutTokens(seen.user).GITHUB_TOKEN, undefined);
});

test('an environment with tokens in it does not show where a configuration is printed', () => {
  const environments = childEnvironments({ GITHUB_TOKEN: canary }, '/state');
  assert.equal(environments.user.GITHUB_TOKEN, canary);
  assert.doesNotMatch(
    inspect({ environments }, { depth: 9, showHidden: true }) + JSON.stringify({ environments }),
    /canary/,
  );
});

test('a child gets the environment of its kind, whatever a shell in between would read', async () => {
  const startup = join(folder, 'startup');
  writeFileSync(startup, 'echo startup; exit 9\n');
  const environment = { PATH: process.env.PATH ?? '', BASH_ENV: startup, ENV: startup, GITHUB_TOKEN: canary };
  const exec = createExec({ env: seenBy(environment), signal });
  for (const options of [{}, { input: '' }]) {
    const token = async (as?: (typeof kinds)[number]) =>
      (await exec(['/usr/bin/printenv', 'GITHUB_TOKEN'], { ...options, ...(as && { as }), nothrow: true })).stdout;
    assert.deepEqual([await token(), await token('probe'), await token('user')], ['', '', `${canary}\n`]);
  }
});

/** What a user may have set, and what a hook that runs a command of ours has around it. */
const hostile = {
  ...gitEnvironment,
  HOME: folder,
  GIT_CONFIG_GLOBAL: join(folder, 'hostile.config'),
  GIT_DIR: '/nowhere',
  GIT_INDEX_FILE: '/nowhere/index',
  GIT_LITERAL_PATHSPECS: '1',
  GIT_EXTERNAL_DIFF: 'false',
  GIT_TRACE: '1',
};
const exec = createExec({ env: seenBy(hostile), signal });

test('neither settings nor variables of git change what is read', async () => {
  const repository = createRepository(join(folder, 'read'));
  const first = commit(repository, 'Start', { 'helm/a': 'one\n', other: '1' });
  const second = commit(repository, 'Ünd more', { 'helm/a': 'two\n' });
  write(repository, 'helm/a', 'three\n');
  write(repository, 'helm/new', '');
  const daemon = join(folder, 'started');
  writeFileSync(
    join(folder, 'hostile.config'),
    `[log]\n\texcludeDecoration = *\n\tshowSignature = true\n\tdecorate = no\n[status]\n\tshowUntrackedFiles = no\n
[i18n]\n\tlogOutputEncoding = latin1\n[diff]\n\texternal = false\n\tnoprefix = true\n\trenames = copies\n
[grep]\n\tlineNumber = true\n\tpatternType = perl\n[color]\n\tui = always\n[core]\n\tfsmonitor = touch '${daemon}'; false\n`,
  );
  const { head, subject, branch } = await readCheckout(exec, repository);
  assert.deepEqual([head, subject, branch], [second, 'Ünd more', 'main']);
  assert.deepEqual((await uncommittedFiles(exec, repository, ['helm'])).sort(), ['helm/a', 'helm/new']);
  assert.deepEqual(await changedFiles(exec, repository, [first, second], ['helm']), ['helm/a']);
  assert.deepEqual([...(await filesAt(exec, repository, first, ['helm/a']))], [['helm/a', 'one\n']]);
  await assert.rejects(async () => chmodSync(daemon, 0o600), /ENOENT/, 'a monitor of files was started');
});

test('a folder that the user trusts is read although it is of another user', async () => {
  const repository = createRepository(join(folder, 'foreign'));
  const head = commit(repository, 'Start', { a: '1' });
  const config = join(folder, 'trust.config');
  writeFileSync(config, `[safe]\n\tdirectory = ${repository}\n`);
  const env = { ...gitEnvironment, GIT_CONFIG_GLOBAL: config };
  const environments = seenBy(env);
  // Git's own tests pretend the other user by this variable.
  const tool = { ...environments.tool, GIT_TEST_ASSUME_DIFFERENT_OWNER: '1' };
  const foreign = createExec({ env: { ...environments, tool }, signal });
  assert.equal((await readCheckout(foreign, repository)).head, head);
  writeFileSync(config, '');
  await assert.rejects(readCheckout(foreign, repository), /does not trust/);
});

test('a commit and a push have the identity, hooks and tokens of the user', async () => {
  const repository = createRepository(join(folder, 'mine'));
  const hook =
    '#!/bin/sh\nexec >> "$HOME/hooks"\necho "$0 $GITHUB_TOKEN $BASH_ENV $(printenv PLATFORM_OPS_STARTED_FOR || echo none)"\n';
  for (const name of ['pre-commit', 'pre-push']) {
    mkdirSync(join(repository, '.git', 'hooks'), { recursive: true });
    writeFileSync(join(repository, '.git', 'hooks', name), hook, { mode: 0o755 });
  }
  git(folder, 'init', '--quiet', '--bare', '--initial-branch=main', 'there.git');
  const environment = { ...gitEnvironment, HOME: folder, GITHUB_TOKEN: canary, BASH_ENV: '/b', GIT_AUTHOR_NAME: 'Ann' };
  const mine = createExec({ env: seenBy(environment), signal });
  await gitIn(mine, repository, 'committing').read(['commit', '--quiet', '--allow-empty', '--message', 'One']);
  await gitIn(mine, repository, 'remote').read(['push', '--quiet', join(folder, 'there.git'), 'main']);
  assert.equal(git(join(folder, 'there.git'), 'log', '-1', '--format=%an'), 'Ann');
  const { stdout } = await mine(['cat', join(folder, 'hooks')]);
  const line = `${canary} /b none`;
  assert.deepEqual(stdout.trim().split('\n'), [`.git/hooks/pre-commit ${line}`, `.git/hooks/pre-push ${line}`]);
});

test('whether a repository is public is asked without any login of the user, but through their proxy', async () => {
  const asked: string[] = [];
  const server = createServer(({ url, headers }, response) => {
    asked.push(`${url} ${headers.authorization ?? headers.cookie ?? headers['x-login'] ?? 'nobody'}`);
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => server.close());
  const port = (server.address() as AddressInfo).port;
  writeFileSync(join(folder, '.netrc'), 'default login ann password secret\n', { mode: 0o600 });
  const login = `[http]\n\tproxy = http://127.0.0.1:${port}\n\textraHeader = "x-login: ann"\n\tcookieFile = ${folder}/cookies\n
[url "http://elsewhere.invalid/"]\n\tinsteadOf = http://public.invalid/\n
[credential]\n\thelper = "!f() { echo username=ann; echo password=secret; }; f"\n`;
  writeFileSync(join(folder, 'hostile.config'), login);
  assert.deepEqual(await canRead(exec, 'http://public.invalid/a.git'), { state: 'refused' });
  assert.deepEqual(asked, ['http://public.invalid/a.git/info/refs?service=git-upload-pack nobody']);
  // The same question of a typed git has all of it.
  await gitIn(exec, folder, 'remote').attempt(['ls-remote', 'http://public.invalid/a.git']);
  assert.match(asked.slice(1).join('\n'), /^http:\/\/elsewhere\.invalid\/.* (Basic|ann)/);
});

test('a certificate in the home of the user is found there by an anonymous git, which has none', async () => {
  const values: (string | undefined)[] = [];
  const recording: Exec = (command, options) => {
    values.push(options?.env?.GIT_CONFIG_VALUE_1);
    return exec(command, options);
  };
  // A setting without a value is one, too, and no path.
  writeFileSync(
    join(folder, 'hostile.config'),
    '[http]\n\tsslVerify\n\tsslCAInfo = ~/ca.pem\n\tsslVersion = tlsv1.2\n',
  );
  await canRead(recording, 'http://127.0.0.1:1/a.git');
  assert.equal(values.at(-1), `${folder}/ca.pem`);
});

test('every call of git is made by a preset', () => {
  const own = 'scripts/lib/git/run.ts';
  const calls = programFiles().filter(
    (file) => file !== own && /\[\s*['"`]git['"`]\s*,(?!\s*'tools')|\bgit \S+ .*"\$@"/.test(textOf(file)),
  );
  assert.deepEqual(calls, []);
  assert.match(textOf(own), /\['git', '-C', folder/);
});
