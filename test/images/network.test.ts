import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { checkNetwork } from '../../scripts/checks/doctor/network.ts';
import { nodeImages } from '../../scripts/images/containerd.ts';
import { containerVariables, kindVariables, networkDiffers, networkMounts } from '../../scripts/images/network.ts';
import { unpackedMount } from '../../scripts/images/unpacked.ts';
import { useNetwork } from '../../scripts/lib/http/agent.ts';
import { readNetwork } from '../../scripts/lib/http/proxy.ts';
import { fakeContext, fakeExec, temporaryFolder } from '../support/fakes.ts';
import { startProxy } from '../support/proxy.ts';

const folder = await temporaryFolder();
const { signal } = new AbortController();
const canary = 'canary%22%5C%24x';
const address = `http://ann:${canary}@proxy.example:3128/`;
const authority = join(folder, 'ca.crt');
writeFileSync(authority, 'ONE\n\n\nTWO\n');
const inCluster = '10.96.0.0/16,10.244.0.0/16,.svc,.cluster.local';
const contextWith = (environment: NodeJS.ProcessEnv) =>
  fakeContext({ config: { stateDir: join(folder, 'state'), network: readNetwork(environment) } });

test('a container gets the proxies that it reaches, in both cases, and never one for the addresses of the cluster', () => {
  const network = readNetwork({
    HTTPS_PROXY: address,
    HTTP_PROXY: 'http://127.0.0.1:3128',
    NO_PROXY: 'a.example, b.example',
  });
  const bypass = `a.example, b.example,${inCluster}`;
  const both = (name: string, value: string) => ({ [name]: value, [name.toLowerCase()]: value });
  const ofNode = { ...both('HTTPS_PROXY', address), ...both('NO_PROXY', bypass) };
  assert.deepEqual(containerVariables(network, 'node'), ofNode);
  assert.deepEqual(containerVariables(network, 'machine'), {
    ...ofNode,
    ...both('HTTP_PROXY', 'http://127.0.0.1:3128/'),
  });
  assert.deepEqual(containerVariables(readNetwork({ NO_PROXY: 'x', https_proxy: 'socks5://x' }), 'node'), {});
  assert.deepEqual(Object.keys(containerVariables(readNetwork({ SSL_CERT_FILE: authority }), 'node')), [
    'SSL_CERT_DIR',
  ]);
  assert.deepEqual(
    containerVariables(readNetwork({ SSL_CERT_FILE: folder, NODE_EXTRA_CA_CERTS: '/none' }), 'node'),
    {},
  );
});

test('the node has the password in a file of its owner, and kind does not have it', async () => {
  const environment = { HTTPS_PROXY: address, SSL_CERT_FILE: authority };
  const context = contextWith(environment);
  assert.equal(networkDiffers(contextWith({})), false);
  const [mounted = assert.fail()] = await networkMounts(context);
  // Docker mounts one folder at a place, and a node may have both.
  assert.notEqual(mounted.containerPath, unpackedMount);
  const unit = join(mounted.hostPath, 'proxy.conf');
  assert.equal(statSync(unit).mode & 0o777, 0o600);
  assert.equal(statSync(mounted.hostPath).mode & 0o777, 0o700);
  const text = readFileSync(unit, 'utf8');
  assert(
    text.startsWith('[Service]\nEnvironment="HTTPS_PROXY=http://ann:canary%%22%%5C%%24x@proxy.example:3128/" '),
    text,
  );
  assert.match(text, / "SSL_CERT_DIR=\/usr\/lib\/systemd\/system\/containerd\.service\.d\/certificates"\n$/);
  assert.equal(readFileSync(join(mounted.hostPath, 'certificates', 'own.crt'), 'utf8'), 'ONE\nTWO\n');
  assert.equal(networkDiffers(context), false);
  assert.equal(networkDiffers(contextWith({ ...environment, NO_PROXY: 'x' })), true);
  assert.equal(networkDiffers(contextWith({})), true);
  const kind = kindVariables(context.config.network);
  assert.doesNotMatch(JSON.stringify(kind), /canary/);
  assert.deepEqual([kind.HTTPS_PROXY, kind.https_proxy, kind.NO_PROXY], ['', '', 'localhost']);
  assert.deepEqual(kindVariables(readNetwork({ NO_PROXY: 'x' })), {});
  assert.deepEqual(await networkMounts(contextWith({ NO_PROXY: 'x' })), []);
});

test('a pull names the variables, and Docker takes the values from its environment', async () => {
  const exec = fakeExec(() => undefined);
  const network = readNetwork({ HTTPS_PROXY: address });
  const variables = () => containerVariables(network, 'node');
  await nodeImages(exec, 'node', signal, { timeout: 1, variables }).pull('ghcr.io/ann/api:1');
  const [{ command, options } = assert.fail()] = exec.calls;
  assert.deepEqual(command.slice(0, 3), ['docker', 'exec', '--env=HTTPS_PROXY']);
  assert.doesNotMatch(command.join(' '), /canary/);
  assert.equal(options.env?.https_proxy, address);
});

const proxy = await startProxy({ login: 'ann:canary' });
after(() => proxy.close());
afterEach(() => useNetwork({ direct: '' }));
const local = `127.0.0.1:${proxy.port}`;
const rows: [what: string, environment: NodeJS.ProcessEnv, node: 'absent' | 'there' | 'elsewhere', found: RegExp[]][] =
  [
    ['without a proxy', { NO_PROXY: 'x' }, 'absent', []],
    [
      'with a proxy elsewhere, and a node that is there',
      { https_proxy: address, NO_PROXY: 'ghcr.io .corp.example' },
      'there',
      [
        /^ok .* the proxy http:\/\/proxy\.example:3128 of https_proxy, except from this machine, ghcr\.io, \.corp\.example\.$/,
      ],
    ],
    [
      'with one that refuses, on this machine, and no node yet',
      { HTTPS_PROXY: `http://ann:canaryWrong@${local}` },
      'absent',
      [
        /^warning The proxy http:\/\/127\.0\.0\.1:\d+ of HTTPS_PROXY refuses that user and password \(407\)\. → Set HTTPS_PROXY/,
        /^warning The proxy http:\/\/127\.0\.0\.1:\d+ of HTTPS_PROXY listens on this machine alone: .* → Have it listen/,
        /^warning Docker itself has no proxy: .* → .*docs\.docker\.com/,
      ],
    ],
    [
      'with another kind',
      { ALL_PROXY: 'socks5://ann:canary@x' },
      'there',
      [/^warning ALL_PROXY names .* socks5.*passed over/],
    ],
    [
      'with a repository that Argo CD reads',
      { HTTPS_PROXY: address, NO_PROXY: 'ghcr.io', REPOSITORY: 'https://github.com/ann/ops' },
      'there',
      [/^ok /, /^warning Argo CD reads https:\/\/github\.com\/ann\/ops without the proxy/],
    ],
    [
      'with a repository by ssh',
      { HTTPS_PROXY: address, NO_PROXY: 'ghcr.io', REPOSITORY: 'git@github.com:ann/ops' },
      'there',
      [/^ok /],
    ],
    ['with a cluster elsewhere', { HTTPS_PROXY: 'http://127.0.0.1:1', NO_PROXY: 'ghcr.io' }, 'elsewhere', [/^ok /]],
  ];
for (const [what, { REPOSITORY: repository, ...environment }, node, expected] of rows) {
  test(`doctor ${what} says how downloads are reached, and no password`, async () => {
    const network = readNetwork(environment);
    useNetwork(network);
    const exec = fakeExec(() => ({ stdout: 'proxy=\n' }));
    const findings = await checkNetwork({ exec, network, signal, node, repository });
    const said = findings.map(({ level, message, remedy = '' }) =>
      `${level} ${message} → ${remedy}`.replace(/ → $/, ''),
    );
    assert.equal(said.length, expected.length, said.join('\n'));
    for (const [index, pattern] of expected.entries()) assert.match(said[index] ?? '', pattern);
    assert.doesNotMatch(said.join(), /canary/);
  });
}
