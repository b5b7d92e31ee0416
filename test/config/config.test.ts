import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os, { homedir } from 'node:os';
import { join } from 'node:path';
import { mock, test } from 'node:test';
import { format, inspect } from 'node:util';
import { loadConfig, withIgnoredChecks } from '../../scripts/config/config.ts';
import { nodeImage } from '../../scripts/config/versions.ts';
import { ExitCode } from '../../scripts/lib/errors.ts';
import { Secret } from '../../scripts/lib/secret.ts';
import { refusal, temporaryFolder } from '../support/fakes.ts';

const folder = await temporaryFolder();
const canary = 'ghp_canaryCanaryCanary';

/** The configuration of a checkout with that `.env`, or with none. */
function load(env: string | undefined, environment: NodeJS.ProcessEnv = {}) {
  const root = mkdtempSync(join(folder, 'checkout '));
  if (env !== undefined) writeFileSync(join(root, '.env'), env);
  return loadConfig(root, environment);
}
/** The tokens that are known, from the environment and from .env. */
const tokensOf = (env: string | undefined, environment: NodeJS.ProcessEnv = {}) => {
  const { use, inEnvironment, inFile } = load(env, environment).tokens;
  return [use, inEnvironment?.reveal(), inFile?.reveal()];
};

test('without .env and environment, every setting has its default', () => {
  const { root, clusterName, ports, gitops, tokens, argocdFull, stateDir, ...others } = load(undefined);
  assert.deepEqual({ clusterName, ports }, { clusterName: 'kind-cluster-1', ports: { http: 8080, https: 8443 } });
  assert.deepEqual({ gitops, argocdFull }, { gitops: undefined, argocdFull: false });
  assert.deepEqual([tokens.use, tokens.inEnvironment, tokens.inFile], ['auto', undefined, undefined]);
  assert.equal(stateDir, join(root, '.state', 'kind-cluster-1'));
  assert.equal(others.nodeImage, nodeImage);
});

test('what .env says counts, and the environment wins over it', () => {
  const env = 'CLUSTER_NAME=from-file\nHTTP_PORT=9080\nARGOCD_FULL=yes\n';
  const config = load(env, { HTTP_PORT: '10080' });
  assert.deepEqual([config.clusterName, config.ports.http, config.argocdFull], ['from-file', 10080, true]);
});

test('--ignore-checks adds to IGNORE_CHECKS', () => {
  const config = load('IGNORE_CHECKS=memory');
  assert.deepEqual(withIgnoredChecks(config, undefined).ignoredChecks, ['memory']);
  assert.deepEqual(withIgnoredChecks(config, 'cgroup,memory').ignoredChecks, ['memory', 'cgroup']);
});

test('an empty variable does not hide what .env says', () => {
  const env = `CLUSTER_NAME=from-file\nGITHUB_TOKEN=${canary}`;
  const empty = { CLUSTER_NAME: '', GITHUB_TOKEN: '', GHCR_CREDENTIALS: '' };
  assert.equal(load(env, empty).clusterName, 'from-file');
  assert.deepEqual(tokensOf(env, empty), ['auto', undefined, canary]);
});

test('downloads are kept below XDG_CACHE_HOME, else below HOME, else below the home that the account has', () => {
  const below = (environment: NodeJS.ProcessEnv) => load(undefined, environment).cacheDir;
  assert.equal(below({ XDG_CACHE_HOME: '/cache', HOME: '/home/ann' }), '/cache/platform-ops');
  assert.match(below({ XDG_CACHE_HOME: '', HOME: '/home/ann' }), /^\/home\/ann\/.+\/platform-ops$/);
  assert(below({ HOME: '' }).startsWith(join(homedir(), '/')));
});

test('an account without a home folder is told how to name one, and does not need one that is named', async () => {
  const gone = mock.method(os, 'userInfo', () => {
    throw new Error('ENOENT: no such file or directory, uv_os_get_passwd');
  });
  syncBuiltinESMExports();
  try {
    const { error } = await refusal(() => load(undefined));
    assert.equal(error.id, 'no-home');
    assert.equal(error.exitCode, ExitCode.usage);
    const { cacheDir, dataDir } = load(undefined, { XDG_CACHE_HOME: '/cache', XDG_DATA_HOME: '/data' });
    assert.deepEqual([cacheDir, dataDir], ['/cache/platform-ops', '/data/platform-ops']);
  } finally {
    gone.mock.restore();
    syncBuiltinESMExports();
  }
});

test('another cluster has another state folder', () => {
  assert.match(load('CLUSTER_NAME=second').stateDir, /\.state\/second$/);
});

test('the two ports must differ', async () => {
  const { error } = await refusal(() => load('HTTP_PORT=8443'));
  assert.equal(error.id, 'setting-wrong');
  assert.equal(error.exitCode, ExitCode.usage);
});

test('GITOPS_REPO_URL comes with a revision, and GITOPS_REVISION alone means nothing', () => {
  const repoUrl = 'https://github.com/someone/platform-ops.git';
  assert.deepEqual(load(`GITOPS_REPO_URL=${repoUrl}`).gitops, { repoUrl, revision: 'main' });
  assert.deepEqual(load(`GITOPS_REPO_URL=${repoUrl}\nGITOPS_REVISION=v1`).gitops, { repoUrl, revision: 'v1' });
  assert.equal(load('GITOPS_REVISION=v1').gitops, undefined);
});

test('tokens are kept apart by where they stand, and GH_TOKEN is one too', () => {
  const env = `GITHUB_TOKEN=${canary}`;
  assert.deepEqual(tokensOf(env, { GITHUB_TOKEN: 'ghp_other' }), ['auto', 'ghp_other', canary]);
  assert.deepEqual(tokensOf(env, { GH_TOKEN: 'ghp_other' }), ['auto', 'ghp_other', canary]);
  assert.deepEqual(tokensOf(undefined, { GITHUB_TOKEN: 'ghp_one', GH_TOKEN: 'ghp_two' }), [
    'auto',
    'ghp_one',
    undefined,
  ]);
});

test('what stands around a token in .env is no reason to refuse the file', () => {
  assert.deepEqual(tokensOf(`GITHUB_TOKEN=" ${canary} "`), ['auto', undefined, ` ${canary} `]);
});

test('GHCR_CREDENTIALS=none says to use no token, and the environment wins', () => {
  assert.equal(tokensOf(`GITHUB_TOKEN=${canary}\nGHCR_CREDENTIALS=none`)[0], 'none');
  assert.equal(tokensOf('GHCR_CREDENTIALS=none', { GHCR_CREDENTIALS: 'auto' })[0], 'auto');
});

test("Docker's settings are where DOCKER_CONFIG says, or in the home folder", () => {
  assert.equal(load(undefined, { HOME: '/home/ann' }).tokens.dockerFolder, '/home/ann/.docker');
  assert.equal(load(undefined, { HOME: '/home/ann', DOCKER_CONFIG: '/d' }).tokens.dockerFolder, '/d');
});

test('downloads lie in XDG_CACHE_HOME, else in the home folder, also where HOME is empty or not set', () => {
  const cache = (environment: NodeJS.ProcessEnv) => load(undefined, environment).cacheDir;
  assert.equal(cache({ XDG_CACHE_HOME: '/big disk', HOME: '/home/ann' }), '/big disk/platform-ops');
  assert.match(cache({ HOME: '/home/ann' }), /^\/home\/ann\/(\.cache|Library\/Caches)\/platform-ops$/);
  for (const environment of [{}, { HOME: '' }]) assert(cache(environment).startsWith(homedir()));
});

test('the authority lies in XDG_DATA_HOME, else in the home folder', () => {
  const data = (environment: NodeJS.ProcessEnv) => load(undefined, environment).dataDir;
  assert.equal(data({ XDG_DATA_HOME: '/big disk', HOME: '/home/ann' }), '/big disk/platform-ops');
  assert.match(
    data({ HOME: '/home/ann' }),
    /^\/home\/ann\/(\.local\/share|Library\/Application Support)\/platform-ops$/,
  );
});

test('the environment is dev, unless it is said to be prod', () => {
  assert.deepEqual([load(undefined).environment, load('ENVIRONMENT=prod').environment], ['dev', 'prod']);
});

test('a Secret shows in no way of printing it, alone or inside a configuration', () => {
  const secret = new Secret(canary);
  const config = load(undefined, { GITHUB_USERNAME: 'ann', GITHUB_TOKEN: canary });
  for (const value of [
    secret,
    { secret },
    [secret],
    new Map([['key', secret]]),
    config,
    new Error('x', { cause: secret }),
  ]) {
    const shown = [inspect(value, { depth: 9, showHidden: true }), format('%s %o %O %j', value, value, value, value)];
    assert.doesNotMatch([...shown, JSON.stringify(value), String(value)].join(), /canary/i);
  }
  assert.equal(`${secret}${JSON.stringify({ secret })}`, '••••{"secret":"••••"}');
  assert.equal(inspect([secret]), '[ •••• ]');
  assert.deepEqual(Object.keys(secret), []);
  assert.equal(secret.reveal(), canary);
});
