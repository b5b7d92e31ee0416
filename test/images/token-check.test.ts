import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { format, inspect } from 'node:util';
import { checkToken, type Verdict } from '../../scripts/images/credentials/token-check.ts';
import { parseImage } from '../../scripts/images/registry.ts';
import { Interrupted } from '../../scripts/lib/errors.ts';
import { Secret } from '../../scripts/lib/secret.ts';
import { images, playGithub, type Rights } from '../support/github.ts';

const signal = new AbortController().signal;
const reads: Rights = { login: 'ann', scopes: 'read:packages' };
const accounts: Record<string, Rights> = {
  ghp_good: { ...reads, expires: '2030-01-02 03:04:05 UTC' },
  ghp_writer: { login: 'ann', scopes: 'repo, write:packages' },
  ghp_gist: { login: 'ann', scopes: 'gist, repo' },
  ghp_bare: { login: 'ann', scopes: '' },
  ghp_stranger: { ...reads, login: 'bob', reads: ['bob'] },
  ghp_sso: { ...reads, singleSignOn: 'ann' },
  ghp_odd: { ...reads, turnedAway: true },
  ghs_workflow: { ...reads, login: '' },
};
const github = await playGithub(accounts);
after(() => github.close());

interface Asked extends Partial<Parameters<typeof checkToken>[1]> {
  /** Statuses of paths that are broken. */
  faults?: Record<string, number>;
}
/** Asks with one of the tokens. */
async function check(token: string, { faults = {}, ...options }: Asked = {}): Promise<Verdict> {
  for (const [path, status] of Object.entries(faults)) github.faults.set(path, status);
  try {
    return await checkToken(new Secret(token), { images, signal, endpoints: github.endpoints, ...options });
  } finally {
    github.faults.clear();
  }
}
const outcome = async (...asked: Parameters<typeof check>) => {
  const verdict = await check(...asked);
  return verdict.state === 'refused' ? verdict.errorId : verdict.state;
};

test('a token that reads every image works, and its owner, scopes and expiry are known', async () => {
  const asked = github.requests.length;
  assert.deepEqual(await check('ghp_good'), {
    state: 'works',
    owner: { login: 'ann', scopes: ['read:packages'], expires: new Date('2030-01-02T03:04:05Z') },
  });
  const requests = github.requests.slice(asked);
  for (const name of ['api-node', 'core-go', 'worker-python'])
    assert(requests.includes(`HEAD /v2/ann/${name}/manifests/1`), requests.join('\n'));
  assert.equal(requests.filter((line) => line === 'GET /token as ann').length, 3);
  assert.equal(await outcome('ghp_good', { images: ['docker.io/ann/other:1', ...images] }), 'works', 'others are left');
  assert.equal(await outcome('ghp_writer', { images: [] }), 'works', 'who writes may read');
});

const link = /settings\/tokens\/new\?scopes=read:packages/;
const nope = 'ghcr.io/ann/core-go:nope';
const refusals: [token: string, errorId: string, says: RegExp, remedy: RegExp, asked?: Asked][] = [
  ['ghp_nobody', 'token-unknown', /does not know/, link],
  ['ghp_nobody', 'token-unknown', /does not know/, /^gh auth login/, { fromGh: true }],
  ['github_pat_x', 'token-fine-grained', /fine-grained/, /classic token/],
  ['ghp_gist', 'token-scope', /only gist, repo, and needs read:packages/, /Tick read:packages/],
  ['ghp_gist', 'token-scope', /only gist/, /^gh auth refresh/, { fromGh: true }],
  ['ghp_bare', 'token-scope', /no scope at all/, /read:packages/],
  ['ghp_stranger', 'token-no-access', /bob may not read these packages of ann/, /role Read/],
  // One image that is denied is enough.
  ['ghp_good', 'token-no-access', /: ann\/core-go\.$/, /role Read/, { faults: { '/v2/ann/core-go': 403 } }],
  ['ghp_sso', 'token-sign-on', /single sign-on/, /orgs\/ann\/sso\?authorization_request=abc/],
  ['ghp_odd', 'token-fine-grained', /none that GHCR takes/, /classic/],
  ['ghp_good', 'image-not-there', /no ghcr\.io\/ann\/core-go:nope/, /image\.tag/, { images: [...images, nope] }],
];
for (const [token, errorId, says, remedy, asked] of refusals) {
  test(`${errorId} of ${token}: one sentence, one remedy, and the token in neither`, async () => {
    const verdict = await check(token, asked);
    assert(verdict.state === 'refused');
    assert.equal(verdict.errorId, errorId);
    assert.match(verdict.message, says);
    assert.match(verdict.message, /^[^.]*(\.\w[^.]*)*\.$/);
    assert.match(verdict.remedy, remedy);
    const shown = inspect(verdict, { depth: 9 }) + JSON.stringify(verdict) + format('%s %o', verdict, verdict);
    assert(!shown.includes(token));
  });
}

test('a fine-grained token is not sent to anybody', async () => {
  const asked = github.requests.length;
  await check('github_pat_x');
  assert.equal(github.requests.length, asked);
});

for (const [name, faults] of [
  ['GHCR is down', { '/v2': 503, '/token': 503 }],
  ['its token service has had enough', { '/token': 429 }],
  ['it answers what nobody understands', { '/token': 418 }],
] as [string, Record<string, number>][]) {
  test(`where ${name}, the token is used unchecked, and it is said`, async () => {
    const verdict = await check('ghp_good', { faults });
    assert(verdict.state === 'unchecked');
    assert.match(verdict.message, /could not be checked \(127\.0\.0\.1:\d+ .*HTTP \d+/);
    assert.equal(verdict.owner?.login, 'ann');
  });
}

test('while one of the two is down, what the other knows still counts', async () => {
  const noGhcr = { faults: { '/v2': 503 } };
  assert.equal(await outcome('ghp_gist', noGhcr), 'token-scope');
  assert.equal(await outcome('ghp_nobody', noGhcr), 'token-unknown');
  const noGithub = { faults: { '/user': 503, '/orgs': 503 } };
  assert.deepEqual(await check('ghp_good', noGithub), { state: 'works', owner: undefined });
  assert.equal(await outcome('ghp_nobody', noGithub), 'token-unknown');
  assert.equal(await outcome('ghp_stranger', noGithub), 'token-no-access');
});

/** A server that does this, until the test is over. */
async function serverThat(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  after(() => server.close().closeAllConnections());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const atBoth = (origin: string) => ({ endpoints: { ghcr: origin, github: origin } });
const silent = atBoth(await serverThat(() => {}));

test('a refused connection and a deadline are the reasons of an unchecked token; Ctrl-C ends the asking', async () => {
  const closed = await playGithub({});
  closed.close();
  for (const [asked, why] of [
    [{ endpoints: closed.endpoints }, /can't be reached: ECONNREFUSED/],
    [{ ...silent, timeout: 50 }, /did not answer within 0\.05 s/],
  ] as const) {
    const verdict = await check('ghp_good', asked);
    assert.match(verdict.state === 'unchecked' ? verdict.message : '', why);
  }
  const controller = new AbortController();
  const asking = check('ghp_good', { ...silent, signal: controller.signal });
  setTimeout(() => controller.abort(), 10);
  await assert.rejects(asking, Interrupted);
});

test('the password goes to no other host than the registry, and a redirect is not followed', async () => {
  const stolen = await playGithub({ ghp_good: reads });
  after(() => stolen.close());
  const realm = `Bearer realm="${stolen.endpoints.ghcr}/token"`;
  const ghcr = await serverThat((_, response) => response.writeHead(401, { 'www-authenticate': realm }).end());
  const verdict = await check('ghp_good', { endpoints: { ghcr, github: github.endpoints.github } });
  assert.match(verdict.state === 'unchecked' ? verdict.message : '', /asks to log in at 127\.0\.0\.1/);
  const location = `${stolen.endpoints.ghcr}/user`;
  await check('ghp_good', atBoth(await serverThat((_, response) => response.writeHead(302, { location }).end())));
  assert.deepEqual(stolen.requests, []);
});

test('an image name is taken apart', () => {
  for (const [name, ...parts] of [
    ['ghcr.io/ann/a:1', 'ghcr.io', 'ann/a', '1'],
    ['ghcr.io/ann/a', 'ghcr.io', 'ann/a', 'latest'],
    ['localhost:5000/a:1@sha256:0f', 'localhost:5000', 'a', 'sha256:0f'],
  ]) {
    const { registry, repository, reference } = parseImage(name ?? '');
    assert.deepEqual([registry, repository, reference], parts);
  }
});
