import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { format, inspect } from 'node:util';
import { checkToken, type Verdict } from '../../scripts/images/credentials/token-check.ts';
import { parseImage } from '../../scripts/images/registry.ts';
import { Interrupted } from '../../scripts/lib/errors.ts';
import { Secret } from '../../scripts/lib/secret.ts';
import { images, type PlayedGithub, playGithub, type Rights } from '../support/github.ts';

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

/** Asks with one of the tokens, while the paths given are broken. */
async function check(token: string, { wanted = images, faults = {} as Record<string, number>, fromGh = false } = {}) {
  for (const [path, status] of Object.entries(faults)) github.faults.set(path, status);
  try {
    return await checkToken(new Secret(token), { images: wanted, signal, endpoints: github.endpoints, fromGh });
  } finally {
    github.faults.clear();
  }
}

test('a token that reads every image works, and its owner, scopes and expiry are known', async () => {
  const asked = github.requests.length;
  const verdict = await check('ghp_good');
  assert.deepEqual(verdict, {
    state: 'works',
    owner: { login: 'ann', scopes: ['read:packages'], expires: new Date('2030-01-02T03:04:05Z') },
  });
  const requests = github.requests.slice(asked);
  for (const name of ['api-node', 'core-go', 'worker-python'])
    assert(requests.includes(`HEAD /v2/ann/${name}/manifests/1`), requests.join('\n'));
  assert.equal(requests.filter((line) => line === 'GET /token as ann').length, 3);
});

test('whoever may write packages may read them', async () => {
  const { state } = await check('ghp_writer', { wanted: [] });
  assert.equal(state, 'works');
});

const refusals: { token: string; trouble: string; says: RegExp; remedy: RegExp; wanted?: string[] }[] = [
  {
    token: 'ghp_nobody',
    trouble: 'unknown',
    says: /does not know/,
    remedy: /settings\/tokens\/new\?scopes=read:packages/,
  },
  { token: 'github_pat_x', trouble: 'fine-grained', says: /fine-grained/, remedy: /classic token/ },
  {
    token: 'ghp_gist',
    trouble: 'scope',
    says: /only gist, repo, and needs read:packages/,
    remedy: /Tick read:packages/,
  },
  { token: 'ghp_bare', trouble: 'scope', says: /no scope at all/, remedy: /read:packages/ },
  { token: 'ghp_stranger', trouble: 'no-access', says: /bob may not read these packages of ann/, remedy: /role Read/ },
  {
    token: 'ghp_sso',
    trouble: 'single-sign-on',
    says: /single sign-on/,
    remedy: /orgs\/ann\/sso\?authorization_request=abc/,
  },
  { token: 'ghp_odd', trouble: 'turned-away', says: /none that GHCR takes/, remedy: /classic token/ },
  {
    token: 'ghp_good',
    trouble: 'no-such-image',
    wanted: [...images, 'ghcr.io/ann/core-go:nope'],
    says: /no ghcr\.io\/ann\/core-go:nope/,
    remedy: /image\.tag/,
  },
];
for (const { token, trouble, says, remedy, wanted } of refusals) {
  test(`${trouble}: one sentence, one remedy, and the token in neither`, async () => {
    const verdict = await check(token, wanted && { wanted });
    assert(verdict.state === 'refused');
    assert.equal(verdict.trouble, trouble);
    assert.match(verdict.message, says);
    assert.match(verdict.message, /^[^.]*(\.\w[^.]*)*\.$/);
    assert.match(verdict.remedy, remedy);
    assert(!shown(verdict).includes(token));
  });
}

test('the remedy for a token of gh is a command of gh', async () => {
  for (const token of ['ghp_gist', 'ghp_nobody']) {
    const verdict = await check(token, { fromGh: true });
    assert.match(verdict.state === 'refused' ? verdict.remedy : '', /^gh auth /);
  }
});

test('a fine-grained token is not sent to anybody', async () => {
  const asked = github.requests.length;
  await check('github_pat_x');
  assert.equal(github.requests.length, asked);
});

test('one image that is denied is enough', async () => {
  github.faults.set('/v2/ann/core-go', 403);
  const verdict = await checkToken(new Secret('ghp_good'), { images, signal, endpoints: github.endpoints });
  github.faults.clear();
  assert(verdict.state === 'refused');
  assert.match(verdict.message, /: ann\/core-go\.$/);
});

for (const [name, faults] of [
  ['GHCR is down', { '/v2': 503, '/token': 503 }],
  ['its token service has had enough', { '/token': 429 }],
  ['it answers what nobody understands', { '/token': 418 }],
] as Record<string, unknown>[][] as [string, Record<string, number>][]) {
  test(`where ${name}, the token is used unchecked, and it is said`, async () => {
    const verdict = await check('ghp_good', { faults });
    assert(verdict.state === 'unchecked');
    assert.match(verdict.message, /could not be checked \(127\.0\.0\.1:\d+ .*HTTP \d+/);
    assert.equal(verdict.owner?.login, 'ann');
  });
}

test('while GHCR is down, what GitHub knows still counts', async () => {
  const faults = { '/v2': 503 };
  assert.equal(await podProblemOf(check('ghp_gist', { faults })), 'scope');
  assert.equal(await podProblemOf(check('ghp_nobody', { faults })), 'unknown');
});

test('while GitHub is down, GHCR decides', async () => {
  const faults = { '/user': 503, '/orgs': 503 };
  assert.deepEqual(await check('ghp_good', { faults }), { state: 'works', owner: undefined });
  assert.equal(await podProblemOf(check('ghp_nobody', { faults })), 'unknown');
  assert.equal(await podProblemOf(check('ghp_stranger', { faults })), 'no-access');
});

test('a refused connection and a deadline are the reasons of an unchecked token', async () => {
  const closed = await playGithub({});
  closed.close();
  const refusedVerdict = await checkToken(new Secret('ghp_good'), { images, signal, endpoints: closed.endpoints });
  assert.match(refusedVerdict.state === 'unchecked' ? refusedVerdict.message : '', /can't be reached: ECONNREFUSED/);

  const silent = await silentServer();
  const endpoints = { ghcr: silent.origin, github: silent.origin };
  const verdict = await checkToken(new Secret('ghp_good'), { images, signal, endpoints, timeout: 200 });
  silent.close();
  assert.match(verdict.state === 'unchecked' ? verdict.message : '', /did not answer within 0\.2 s/);
});

test('Ctrl-C ends the asking', async () => {
  const silent = await silentServer();
  const controller = new AbortController();
  const endpoints = { ghcr: silent.origin, github: silent.origin };
  const asking = checkToken(new Secret('ghp_good'), { images, signal: controller.signal, endpoints });
  setTimeout(() => controller.abort(), 50);
  await assert.rejects(asking, Interrupted);
  silent.close();
});

test('the password goes to no other host than the registry', async () => {
  const stolen: PlayedGithub = await playGithub({ ghp_good: reads });
  const server = createServer((_, response) =>
    response.writeHead(401, { 'www-authenticate': `Bearer realm="${stolen.endpoints.ghcr}/token"` }).end(),
  );
  const origin = await listening(server);
  const endpoints = { ghcr: origin, github: github.endpoints.github };
  const verdict = await checkToken(new Secret('ghp_good'), { images, signal, endpoints });
  server.close();
  stolen.close();
  assert.match(verdict.state === 'unchecked' ? verdict.message : '', /asks to log in at 127\.0\.0\.1/);
  assert.deepEqual(stolen.requests, []);
});

test('a redirect is not followed', async () => {
  const stolen = await playGithub({ ghp_good: reads });
  const server = createServer((_, response) =>
    response.writeHead(302, { location: `${stolen.endpoints.ghcr}/user` }).end(),
  );
  const origin = await listening(server);
  await checkToken(new Secret('ghp_good'), { images, signal, endpoints: { ghcr: origin, github: origin } });
  server.close();
  stolen.close();
  assert.deepEqual(stolen.requests, []);
});

test('images of other registries are left aside', async () => {
  const { state } = await check('ghp_good', { wanted: ['docker.io/ann/other:1', 'quay.io/ann/third:2', ...images] });
  assert.equal(state, 'works');
});

test('an image name is taken apart', () => {
  assert.deepEqual(parseImage('ghcr.io/ann/a:1'), { registry: 'ghcr.io', repository: 'ann/a', reference: '1' });
  assert.deepEqual(parseImage('ghcr.io/ann/a'), { registry: 'ghcr.io', repository: 'ann/a', reference: 'latest' });
  assert.deepEqual(parseImage('localhost:5000/a:1@sha256:0f'), {
    registry: 'localhost:5000',
    repository: 'a',
    reference: 'sha256:0f',
  });
});

async function podProblemOf(verdict: Promise<Verdict>): Promise<string> {
  const settled = await verdict;
  return settled.state === 'refused' ? settled.trouble : settled.state;
}

function shown(value: unknown): string {
  return inspect(value, { depth: 9 }) + JSON.stringify(value) + format('%s %o', value, value);
}

async function silentServer() {
  const server = createServer(() => {});
  const origin = await listening(server);
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { origin, close };
}

async function listening(server: ReturnType<typeof createServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
