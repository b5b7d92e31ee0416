// What the registry tells of an image before it is promoted.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type ImageLookup, lookUpImages } from '../../scripts/delivery/promote/images.ts';
import { Secret } from '../../scripts/lib/secret.ts';
import { fakeContext, fakeExec, refusal } from '../support/fakes.ts';
import { playGithub } from '../support/github.ts';

const github = await playGithub({
  ghp_good: { login: 'ann', scopes: 'read:packages' },
  ghp_gist: { login: 'ann', scopes: 'gist' },
});
after(() => github.close());
const { kept } = github;
const index = 'application/vnd.oci.image.index.v1+json';
const platform = (architecture: string, os = 'linux') => ({ os, architecture });
kept.set('api-node/manifests/both', {
  mediaType: index,
  manifests: [
    { digest: 'sha256:amd', platform: platform('amd64') },
    { digest: 'sha256:arm', platform: platform('arm64') },
    { digest: 'sha256:att', platform: platform('unknown', 'unknown') },
  ],
});
for (const [digest, architecture] of [
  ['sha256:amd', 'amd64'],
  ['sha256:arm', 'arm64'],
] as const) {
  kept.set(`api-node/manifests/${digest}`, { config: { digest: `${digest}-config` } });
  kept.set(`api-node/blobs/${digest}-config`, { ...platform(architecture), created: '2026-01-02T03:04:05Z' });
}
kept.set('api-node/manifests/arm', { config: { digest: 'sha256:arm-config' } });
kept.set('api-node/manifests/reproducible', { config: { digest: 'sha256:epoch' } });
kept.set('api-node/blobs/sha256:epoch', { ...platform('amd64'), created: '1970-01-01T00:00:00Z' });
kept.set('api-node/manifests/bare', { schemaVersion: 1 });

async function look(
  tag: string,
  {
    token = 'ghp_good',
    use = 'auto' as 'auto' | 'none',
    architectures = ['amd64'],
    name = 'ghcr.io/ann/api-node',
  } = {},
): Promise<ImageLookup & { facts: ImageLookup['facts'] }> {
  const secret = token === '' ? undefined : new Secret(token);
  const context = fakeContext({
    config: { tokens: { use, inEnvironment: secret, inFile: undefined, dockerFolder: '/nowhere' } },
    exec: fakeExec(() => ({ exitCode: 1 })),
    signal: new AbortController().signal,
  });
  const { endpoints } = github;
  return lookUpImages(context, new Map([['api-node', `${name}:${tag}`]]), { architectures, endpoints });
}
const factsOf = async (...args: Parameters<typeof look>) => [...(await look(...args)).facts.values()][0];

test('an image for several processors fits the node, and its age is known', async () => {
  const facts = await factsOf('both');
  assert.deepEqual(facts, { platforms: ['linux/amd64', 'linux/arm64'], created: new Date('2026-01-02T03:04:05Z') });
});

test('an image for other processors than the node has is refused, and what to do is said', async () => {
  const { error, text } = await refusal(() => look('arm'));
  assert.equal(error.exitCode, 1);
  assert.match(
    text,
    /api-node:arm is built for linux\/arm64, and the node needs linux\/amd64\.\n.*--platform linux\/amd64,linux\/arm64/,
  );
  assert.deepEqual((await factsOf('arm', { architectures: ['arm64'] }))?.platforms, ['linux/arm64']);
  assert.deepEqual((await factsOf('arm', { architectures: [] }))?.platforms, ['linux/arm64']);
});

test('the blob is fetched where the registry sends us, without the token', async () => {
  const { facts } = await look('both', { architectures: ['arm64'] });
  assert.equal(facts.size, 1);
  assert(github.requests.includes('GET /v2/ann/api-node/blobs/sha256:arm-config'));
  assert(github.requests.includes('GET /blob-store/x'));
});

test('a date that only stands for none is none, and an image that tells nothing is no failure', async () => {
  assert.deepEqual(await factsOf('reproducible'), { platforms: ['linux/amd64'], created: undefined });
  assert.deepEqual(await factsOf('bare'), { platforms: [], created: undefined });
});

test('a tag that is not there is refused, though the token works', async () => {
  const { error, text } = await refusal(() => look('nothing'));
  assert.equal(error.exitCode, 1);
  assert.match(text, /ghcr\.io\/ann\/api-node:nothing does not exist\.\n.*npm run history -- api-node/);
});

test('without a token, or with none that may read, nothing is looked at', async () => {
  for (const options of [{ token: '' }, { use: 'none' as const }, { token: 'ghp_gist' }]) {
    const asked = github.requests.length;
    const { account, facts, notes } = await look('both', options);
    assert.deepEqual([account, facts.size], [undefined, 0]);
    if (options.token === 'ghp_gist') assert.match(notes.join('\n'), /Not used: .*may not read packages/);
    else assert.equal(github.requests.length, asked);
  }
});

test('a registry that does not answer is noted, and stops nobody', async () => {
  github.faults.set('/v2/ann', 503);
  const { notes, facts } = await look('both');
  github.faults.clear();
  assert.equal(facts.size, 0);
  assert.match(notes.at(-1) ?? '', /Whether ghcr\.io\/ann\/api-node:both exists is not known: .*503/);
});

test('an image elsewhere is noted, since the token is for ghcr.io', async () => {
  const { notes } = await look('1', { name: 'docker.io/ann/api-node' });
  assert.match(notes.join('\n'), /docker\.io\/ann\/api-node:1 was not looked at/);
});
