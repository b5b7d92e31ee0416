import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type Certificate,
  createLocalAuthority,
  selfSigned,
  signedBy,
} from '../../scripts/lib/certificates/certificate.ts';
import { isLimitedToLocalNames } from '../../scripts/lib/certificates/x509.ts';
import { httpGet } from '../../scripts/lib/http/client.ts';
import { temporaryFolder } from '../support/fakes.ts';

const folder = await temporaryFolder();
const day = 24 * 3_600_000;
const authority = await createLocalAuthority('a local authority', 100);
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const needsOpenssl = { skip: hasOpenssl ? false : 'openssl is not on the PATH' };

/** Asks a server that has this certificate, as if it were `name`, trusting `ca` alone. */
async function asked({ certificate, key }: Certificate, name: string, ca: string): Promise<string> {
  const server = createServer({ cert: certificate, key }, (_, response) => response.end('yes'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  try {
    return (await httpGet(url, { server: { name, ca } })).body;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('an authority may sign certificates and nothing else, no other authority, and for local names only', () => {
  const x509 = new X509Certificate(authority.certificate);
  assert.equal(x509.ca, true);
  assert.equal(x509.subject, 'CN=a local authority');
  assert(x509.verify(x509.publicKey) && x509.checkPrivateKey(createPrivateKey(authority.key)));
  assert.equal(isLimitedToLocalNames(x509.raw), true);
});

test('openssl reads it in the same way', needsOpenssl, () => {
  const { stdout } = spawnSync('openssl', ['x509', '-noout', '-text'], {
    input: authority.certificate,
    encoding: 'utf8',
  });
  for (const part of [
    /Basic Constraints: critical\s+CA:TRUE, pathlen:0/,
    /Key Usage: critical\s+Certificate Sign, CRL Sign\n/,
    /Name Constraints: critical\s+Permitted:\s+DNS:localhost\s+IP:127\.0\.0\.0\/255\.0\.0\.0\s+IP:0:0:0:0:0:0:0:1\/FFFF/,
  ])
    assert.match(stdout, part);
});

test('a certificate that anybody else made is not limited so', async () => {
  const other = await selfSigned(['api.localhost'], 1);
  assert.equal(isLimitedToLocalNames(new X509Certificate(other.certificate).raw), false);
});

const hosts: [string, boolean][] = [
  ['api.localhost', true],
  ['localhost', true],
  ['a.b.localhost', true],
  ['*.localhost', true],
  ['127.0.0.1', true],
  ['::1', true],
  ['example.com', false],
  ['notlocalhost', false],
  ['localhost.example.com', false],
  ['10.0.0.1', false],
  ['2001:db8::1', false],
];
for (const [host, vouched] of hosts) {
  test(
    `openssl ${vouched ? 'takes' : 'refuses'} a certificate for ${host} that the authority signed`,
    needsOpenssl,
    async () => {
      const leaf = await signedBy(authority, [host], 1);
      const [ca, file] = [join(folder, 'ca.crt'), join(folder, 'leaf.crt')];
      writeFileSync(ca, authority.certificate);
      writeFileSync(file, leaf.certificate);
      const args = ['verify', '-CAfile', ca, '-purpose', 'sslserver', file];
      const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
      assert.equal(status === 0, vouched, stderr);
      if (!vouched) assert.match(stderr, /permitted subtree violation/);
    },
  );
}

test('a server is believed for the names in its certificate', async () => {
  const leaf = await signedBy(authority, ['api.localhost', 'grafana.localhost', '*.localhost'], 1);
  for (const name of ['api.localhost', 'grafana.localhost'])
    assert.equal(await asked(leaf, name, authority.certificate), 'yes');
  await assert.rejects(asked(leaf, 'example.com', authority.certificate), /does not match certificate's altnames/);
});

test('a server is not believed for another site, even with a certificate that the authority signed', async () => {
  const leaf = await signedBy(authority, ['example.com'], 1);
  await assert.rejects(asked(leaf, 'example.com', authority.certificate), /permitted subtree violation/);
});

test('a server is not believed if another authority signed, even one of the same name', async () => {
  const other = await createLocalAuthority('a local authority', 100);
  const leaf = await signedBy(other, ['api.localhost'], 1);
  await assert.rejects(asked(leaf, 'api.localhost', authority.certificate), /unable to verify|signature failure/);
});

test('a certificate that signs itself is believed by who trusts it, for its own name', async () => {
  const leaf = await selfSigned(['api.example.com'], 1);
  assert.equal(await asked(leaf, 'api.example.com', leaf.certificate), 'yes');
  await assert.rejects(asked(leaf, 'www.example.com', leaf.certificate), /does not match/);
  await assert.rejects(asked(leaf, 'api.example.com', authority.certificate), /self-signed/);
});

test('a certificate is valid for so many days, and never longer than its authority', async () => {
  for (const [days, expected] of [
    [30, 30],
    [397, 100],
  ] as const) {
    const x509 = new X509Certificate((await signedBy(authority, ['localhost'], days)).certificate);
    const length = (Date.parse(x509.validTo) - Date.parse(x509.validFrom)) / day;
    assert(length <= expected + 0.01 && length > expected - 1, `${length}`);
    assert(Date.parse(x509.validFrom) < Date.now());
  }
});

test('a long host is left whole among the names, where it counts', async () => {
  const host = `${'a'.repeat(60)}.example.com`;
  const x509 = new X509Certificate((await selfSigned([host], 1)).certificate);
  assert.equal(x509.checkHost(host), host);
  assert.equal(x509.subject.length, 'CN='.length + 64);
});

test('no two certificates have the same number', async () => {
  const made = await Promise.all([1, 2, 3].map(() => signedBy(authority, ['localhost'], 1)));
  assert.equal(new Set(made.map(({ certificate }) => new X509Certificate(certificate).serialNumber)).size, 3);
});
