import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os, { userInfo } from 'node:os';
import { basename, join } from 'node:path';
import { mock, test } from 'node:test';
import { format, inspect } from 'node:util';
import { type Config, loadConfig, withIgnoredChecks } from '../../scripts/config/config.ts';
import { nodeImage } from '../../scripts/config/versions.ts';
import { ExitCode } from '../../scripts/lib/errors.ts';
import { Secret } from '../../scripts/lib/secret.ts';
import { refusal, temporaryFolder } from '../support/fakes.ts';

const folder = await temporaryFolder();
const canary = 'ghp_canaryCanaryCanary';

/** The configuration of a checkout with that `.env`, or with none. */
function load(env?: string, environment: NodeJS.ProcessEnv = {}): Config {
  const root = mkdtempSync(join(folder, 'checkout '));
  if (env !== undefined) writeFileSync(join(root, '.env'), env);
  return loadConfig(root, environment);
}

test('without .env and environment, every setting has its default', () => {
  const { root, clusterName, ports, gitops, tokens, argocdFull, stateDir, ...others } = load();
  assert.deepEqual({ clusterName, ports }, { clusterName: 'kind-cluster-1', ports: { http: 8080, https: 8443 } });
  assert.deepEqual({ gitops, argocdFull }, { gitops: undefined, argocdFull: false });
  assert.deepEqual([tokens.use, tokens.inEnvironment, tokens.inFile], ['auto', undefined, undefined]);
  assert.equal(stateDir, join(root, '.state', 'kind-cluster-1'));
  assert.deepEqual([others.nodeImage, others.environment], [nodeImage, 'dev']);
});

test('a context with a long name has a folder of its own, with room for what is made beside it', () => {
  const folderOf = (TARGET_CONTEXT: string) =>
    basename(load('', { TARGET_CONTEXT, GITOPS_REPO_URL: 'https://example.com/x' }).stateDir);
  assert.equal(folderOf('a/b'), 'target.a%2Fb');
  const names = ['a', 'b'].map((end) => folderOf(`${'é/'.repeat(150)}${end}`));
  assert.notEqual(names[0], names[1]);
  assert(names.every((name) => name.length <= 200));
});

test('what .env says counts, the environment wins over it, and an empty variable hides nothing', () => {
  const env = `CLUSTER_NAME=from-file\nHTTP_PORT=9080\nARGOCD_FULL=yes\nENVIRONMENT=prod\n`;
  const config = load(env, { HTTP_PORT: '10080', CLUSTER_NAME: '' });
  const { clusterName, ports, argocdFull, environment } = config;
  assert.deepEqual([clusterName, ports.http, argocdFull, environment], ['from-file', 10080, true, 'prod']);
  assert.match(config.stateDir, /\.state\/from-file$/, 'another cluster has another state folder');
});

test('--ignore-checks adds to IGNORE_CHECKS', () => {
  const config = load('IGNORE_CHECKS=memory');
  assert.deepEqual(withIgnoredChecks(config, undefined).ignoredChecks, ['memory']);
  assert.deepEqual(withIgnoredChecks(config, 'cgroup,memory').ignoredChecks, ['memory', 'cgroup']);
});

test('downloads and the authority lie in the folders of XDG, else below HOME, else below the home that the account has', () => {
  const of = (environment: NodeJS.ProcessEnv) => {
    const { cacheDir, dataDir } = load(undefined, environment);
    return [cacheDir, dataDir];
  };
  const named = { XDG_CACHE_HOME: '/big disk', XDG_DATA_HOME: '/data', HOME: '/home/ann' };
  assert.deepEqual(of(named), ['/big disk/platform-ops', '/data/platform-ops']);
  const [cache = '', data = ''] = of({ XDG_CACHE_HOME: '', HOME: '/home/ann' });
  assert.match(cache, /^\/home\/ann\/(\.cache|Library\/Caches)\/platform-ops$/);
  assert.match(data, /^\/home\/ann\/(\.local\/share|Library\/Application Support)\/platform-ops$/);
  for (const environment of [{}, { HOME: '' }])
    assert(of(environment).every((one) => one.startsWith(join(userInfo().homedir, '/'))));
});

test('an account without a home folder is told how to name one, and does not need one that is named', async () => {
  const gone = mock.method(os, 'userInfo', () => {
    throw new Error('ENOENT: no such file or directory, uv_os_get_passwd');
  });
  syncBuiltinESMExports();
  try {
    const { error } = await refusal(() => load());
    assert.deepEqual([error.id, error.exitCode], ['no-home', ExitCode.usage]);
    assert.equal(load(undefined, { XDG_CACHE_HOME: '/cache', XDG_DATA_HOME: '/data' }).dataDir, '/data/platform-ops');
  } finally {
    gone.mock.restore();
    syncBuiltinESMExports();
  }
});

test('the two ports must differ', async () => {
  const { error } = await refusal(() => load('HTTP_PORT=8443'));
  assert.deepEqual([error.id, error.exitCode], ['setting-wrong', ExitCode.usage]);
});

test('GITOPS_REPO_URL comes with a revision, and GITOPS_REVISION alone means nothing', () => {
  const repoUrl = 'https://github.com/someone/platform-ops.git';
  assert.deepEqual(load(`GITOPS_REPO_URL=${repoUrl}`).gitops, { repoUrl, revision: 'main' });
  assert.deepEqual(load(`GITOPS_REPO_URL=${repoUrl}\nGITOPS_REVISION=v1`).gitops, { repoUrl, revision: 'v1' });
  assert.equal(load('GITOPS_REVISION=v1').gitops, undefined);
});

const inFile = `GITHUB_TOKEN=${canary}`;
const tokens: [what: string, env: string | undefined, environment: NodeJS.ProcessEnv, (string | undefined)[]][] = [
  ['apart by where they stand', inFile, { GITHUB_TOKEN: 'ghp_other' }, ['auto', 'ghp_other', canary]],
  ['under the name that gh has', inFile, { GH_TOKEN: 'ghp_other' }, ['auto', 'ghp_other', canary]],
  ['GITHUB_TOKEN first', undefined, { GITHUB_TOKEN: 'ghp_one', GH_TOKEN: 'ghp_two' }, ['auto', 'ghp_one', undefined]],
  ['none in an empty variable', inFile, { GITHUB_TOKEN: '', GHCR_CREDENTIALS: '' }, ['auto', undefined, canary]],
  ['with what stands around them', `GITHUB_TOKEN=" ${canary} "`, {}, ['auto', undefined, ` ${canary} `]],
  ['though not to be used', `${inFile}\nGHCR_CREDENTIALS=none`, {}, ['none', undefined, canary]],
  [
    'to be used, says the environment',
    'GHCR_CREDENTIALS=none',
    { GHCR_CREDENTIALS: 'auto' },
    ['auto', undefined, undefined],
  ],
];
for (const [what, env, environment, expected] of tokens) {
  test(`tokens are read: ${what}`, () => {
    const { use, inEnvironment, inFile } = load(env, environment).tokens;
    assert.deepEqual([use, inEnvironment?.reveal(), inFile?.reveal()], expected);
  });
}

test("Docker's settings are where DOCKER_CONFIG says, or in the home folder", () => {
  assert.equal(load(undefined, { HOME: '/home/ann' }).tokens.dockerFolder, '/home/ann/.docker');
  assert.equal(load(undefined, { HOME: '/home/ann', DOCKER_CONFIG: '/d' }).tokens.dockerFolder, '/d');
});

test('a Secret shows in no way of printing it, alone or inside a configuration', () => {
  const secret = new Secret(canary);
  const config = load(undefined, { GITHUB_USERNAME: 'ann', GITHUB_TOKEN: canary });
  const cause = new Error('x', { cause: secret });
  for (const value of [secret, { secret }, [secret], new Map([['key', secret]]), config, cause]) {
    const shown = [inspect(value, { depth: 9, showHidden: true }), format('%s %o %O %j', value, value, value, value)];
    assert.doesNotMatch([...shown, JSON.stringify(value), String(value)].join(), /canary/i);
  }
  assert.equal(`${secret}${JSON.stringify({ secret })}`, '••••{"secret":"••••"}');
  assert.equal(inspect([secret]), '[ •••• ]');
  assert.deepEqual(Object.keys(secret), []);
  assert.equal(secret.reveal(), canary);
});
