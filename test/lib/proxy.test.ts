import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { inspect } from 'node:util';
import { loadConfig } from '../../scripts/config/config.ts';
import { connect } from '../../scripts/kubernetes/api/api.ts';
import { selfSigned } from '../../scripts/lib/certificates/certificate.ts';
import { UserError } from '../../scripts/lib/errors.ts';
import { startProcess } from '../../scripts/lib/exec.ts';
import { useNetwork } from '../../scripts/lib/http/agent.ts';
import { httpGet } from '../../scripts/lib/http/client.ts';
import { download, fetchText } from '../../scripts/lib/http/download.ts';
import { fetchReply } from '../../scripts/lib/http/fetch.ts';
import { isThisMachine, proxyFor, readNetwork } from '../../scripts/lib/http/proxy.ts';
import { base64 } from '../../scripts/lib/secret.ts';
import { programFiles } from '../house/imports.ts';
import { temporaryFolder } from '../support/fakes.ts';
import { root } from '../support/helm.ts';
import { startProxy } from '../support/proxy.ts';
import { textOf } from '../support/tracked-files.ts';

const { signal } = new AbortController();
const folder = await temporaryFolder();
const canary = 'pass%40wörd canary';
const login = 'ann:pass@wörd canary';

/** What answers behind the proxy, with a certificate that the proxy's owner made: it opens TLS, as a company's does. */
const hosts = ['downloads.example', 'api.github.com', 'ghcr.io', 'cluster.example'] as const;
const { certificate, key } = await selfSigned(hosts, 2);
const authority = join(folder, 'proxy ca.crt');
writeFileSync(authority, certificate);
const opened: string[] = [];
const behind = createServer({ cert: certificate, key }, (request, response) => {
  const address = `${request.headers.host}${request.url}`;
  opened.push(address);
  if (request.url === '/moved') response.writeHead(302, { location: 'https://downloads.example/tool' }).end();
  else if (request.headers.authorization) response.writeHead(401).end();
  else response.end('a tool');
});
await new Promise<void>((resolve) => behind.listen(0, '127.0.0.1', resolve));
const leadsTo = (behind.address() as AddressInfo).port;
const proxy = await startProxy({ leadsTo, login });
after(() => {
  behind.close();
  behind.closeAllConnections();
  proxy.close();
});
afterEach(() => {
  useNetwork({ direct: '' });
  proxy.asked.length = 0;
  opened.length = 0;
});
const address = `http://ann:${encodeURIComponent(canary).replaceAll('%25', '%')}@127.0.0.1:${proxy.port}`;
const through = { HTTPS_PROXY: address, SSL_CERT_FILE: authority };
const use = (environment: NodeJS.ProcessEnv) => useNetwork(readNetwork(environment));

test('the lower-case name wins, ALL_PROXY counts where there is no other, and an empty one is none', () => {
  const named = (environment: NodeJS.ProcessEnv) => {
    const { http, https, ignored } = readNetwork(environment);
    return [http, https, ignored].map((one) => one && `${one.variable} ${one.name}`);
  };
  for (const [environment, ...expected] of [
    [{}, undefined, undefined, undefined],
    [{ https_proxy: 'http://a:1', HTTPS_PROXY: 'http://b:2' }, undefined, 'https_proxy http://a:1', undefined],
    [{ https_proxy: ' ', HTTPS_PROXY: 'b:2' }, undefined, 'HTTPS_PROXY http://b:2', undefined],
    [{ HTTP_PROXY: 'https://b' }, 'HTTP_PROXY https://b', undefined, undefined],
    [{ ALL_PROXY: 'c:3', http_proxy: 'a' }, 'http_proxy http://a', 'ALL_PROXY http://c:3', undefined],
    [{ all_proxy: 'socks5://c:3' }, undefined, undefined, 'all_proxy '],
    [{ all_proxy: 'socks5://c:3', HTTPS_PROXY: 'b' }, undefined, 'HTTPS_PROXY http://b', undefined],
  ] as const)
    assert.deepEqual(named({ ...environment }), expected);
});

test('NO_PROXY lists hosts, domains, addresses and networks, with and without a port', () => {
  const rows: [list: string, direct: string[], proxied: string[]][] = [
    ['', [], ['ghcr.io', '10.0.0.1', '[fd00::1]']],
    ['*', ['ghcr.io', '10.0.0.1'], []],
    ['github.com', ['github.com', 'api.GitHub.com', 'github.com.'], ['notgithub.com', 'github.com.evil.example']],
    ['.github.com *.ghcr.io', ['github.com', 'api.github.com', 'x.ghcr.io'], ['agithub.com', '10.0.0.1']],
    [' a.example:8443 ,,b.example:443', ['a.example:8443', 'b.example'], ['a.example', 'b.example:444']],
    ['10.0.0.0/8,192.168.1.7', ['10.200.3.4', '192.168.1.7'], ['11.0.0.1', '192.168.1.8', '10.example']],
    ['192.168.1.7:443', ['192.168.1.7'], ['192.168.1.7:444']],
    ['fd00::/8,[2001:db8::1]:443,::2', ['[fd12::1]', '[2001:db8::1]', '[::2]'], ['[fe80::1]', '[2001:db8::1]:1']],
    ['10.0.0.0/x,nonsense/8,:443,.', [], ['10.0.0.1', 'ghcr.io']],
  ];
  for (const [list, direct, proxied] of rows) {
    const network = readNetwork({ HTTPS_PROXY: 'http://p', NO_PROXY: list });
    const how = (host: string) => (proxyFor(network, `https://${host}/`) ? 'proxy' : 'direct');
    for (const host of direct) assert.equal(how(host), 'direct', `${list}: ${host}`);
    for (const host of proxied) assert.equal(how(host), 'proxy', `${list}: ${host}`);
  }
});

test('this machine is never reached by a proxy', () => {
  const network = readNetwork({ ALL_PROXY: 'http://p', NO_PROXY: '' });
  for (const host of ['localhost', 'api.localhost', 'LOCALHOST.', '127.0.0.1', '127.8.9.1:6443', '[::1]:8443'])
    for (const scheme of ['http', 'https'])
      assert.equal(proxyFor(network, `${scheme}://${host}/`), undefined, `${scheme}://${host}`);
  for (const host of ['notlocalhost', 'localhost.example', '128.0.0.1', '[::2]']) assert(!isThisMachine(host), host);
});

test('downloads, redirects, GitHub, registries and a cluster elsewhere go through the proxy, which opens their TLS', async () => {
  use(through);
  const sha256 = createHash('sha256').update('a tool').digest('hex');
  const options = { url: 'https://downloads.example/moved', signal, retryDelays: [] };
  const file = await download({ ...options, sha256, cacheDir: join(folder, 'cache'), fileName: 'tool' });
  assert.equal(readFileSync(file, 'utf8'), 'a tool');
  assert.deepEqual(opened, ['downloads.example/moved', 'downloads.example/tool']);
  assert.equal(await fetchText({ ...options, url: 'https://downloads.example/tool.sha256' }), 'a tool');
  assert.equal((await fetchReply('https://api.github.com/user', { signal })).body, 'a tool');
  const cluster = { server: 'https://cluster.example:6443', 'certificate-authority-data': base64(certificate) };
  const kubeconfig = JSON.stringify({ clusters: [{ cluster }], users: [{ user: { token: 'x' } }] });
  await assert.rejects(connect(kubeconfig, signal).text('/readyz'), { status: 401 });
  assert.deepEqual([...new Set(proxy.asked)], ['downloads.example:443', 'api.github.com:443', 'cluster.example:6443']);
});

test('a server of this machine is reached directly, and plain http by its whole address', async () => {
  use({ ...through, HTTP_PROXY: address });
  const port = leadsTo;
  await assert.rejects(httpGet(`https://127.0.0.1:${port}/`), { code: /ALTNAME/ });
  assert.deepEqual(proxy.asked, []);
  assert.equal((await httpGet('http://downloads.example/x?y')).body, 'by proxy for downloads.example');
  assert.deepEqual(proxy.asked, ['http://downloads.example/x?y']);
});

const shown = `http://127.0.0.1:${proxy.port}`;
const failures: [what: string, environment: NodeJS.ProcessEnv, why: RegExp, hint: RegExp][] = [
  [
    'refuses connections',
    { https_proxy: `http://ann:${canary}@127.0.0.1:1` },
    /the proxy http:\/\/127\.0\.0\.1:1 of https_proxy can't be reached \(ECONNREFUSED\)\./,
    /^Correct https_proxy, or list the host in NO_PROXY/,
  ],
  [
    'wants a login',
    { HTTPS_PROXY: shown },
    /the proxy http:\/\/127\.0\.0\.1:\d+ of HTTPS_PROXY asks for a user and a password \(407\)/,
    /^Set HTTPS_PROXY to http:\/\/USER/,
  ],
  [
    'refuses the login',
    { HTTPS_PROXY: shown.replace('//', `//ann:other${canary}@`) },
    /of HTTPS_PROXY refuses that user and password \(407\)/,
    /^Set HTTPS_PROXY/,
  ],
  [
    'has a certificate of its own',
    { ALL_PROXY: address },
    /of ALL_PROXY presents a certificate that is not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\)/,
    /NODE_EXTRA_CA_CERTS/,
  ],
  [
    'is a web server',
    { HTTPS_PROXY: `http://127.0.0.1:1`.replace('1:1', `1:${leadsTo}`) },
    /of HTTPS_PROXY can't be/,
    /./,
  ],
  [
    'is of another kind',
    { HTTPS_PROXY: `socks5://ann:${canary}@127.0.0.1:1080` },
    /: HTTPS_PROXY names a proxy of the kind socks5, not http or https\./,
    /^Correct HTTPS_PROXY/,
  ],
  ['is no address', { HTTPS_PROXY: `http://ann:${canary}@:99999` }, /: HTTPS_PROXY is not the address of a proxy/, /./],
];
for (const [what, environment, why, hint] of failures) {
  test(`a proxy that ${what} is one sentence, with the variable and without the password`, async () => {
    use(environment);
    const failed = async (work: Promise<unknown>) =>
      work.then(
        () => assert.fail('no error'),
        (error: unknown) => error as Error,
      );
    const options = { url: 'https://downloads.example/tool', signal, retryDelays: [] };
    const error = await failed(fetchText(options));
    assert.match(error.message, /^Could not download tool from downloads\.example: /);
    assert.match(error.message, why);
    assert.match((error as { hint?: string }).hint ?? '', hint);
    const other = await failed(fetchReply('https://ghcr.io/v2/', { signal }));
    assert.match(other.message, /^ghcr\.io can't be reached: /);
    assert.doesNotMatch(inspect([error, other], { depth: 9, showHidden: true }), /canary|YW5uOn/);
  });
}

test("where the API server would be asked through a proxy that can't be used, that is an error with an id", async () => {
  const clusters = [{ cluster: { server: 'https://cluster.example' } }];
  const api = () => connect(JSON.stringify({ clusters, users: [{ user: { token: 'x' } }] }), signal).text('/version');
  use({ HTTPS_PROXY: `socks5://ann:${canary}@127.0.0.1:1080` });
  const error = await api().catch((error: unknown) => error);
  assert(error instanceof UserError);
  assert.deepEqual(
    [error.ids, error.message],
    [['proxy'], 'HTTPS_PROXY names a proxy of the kind socks5, not http or https.'],
  );
  assert.match(error.hint ?? '', /^Correct HTTPS_PROXY/);
  assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /canary/);
});

test('a command uses the variables of its environment, and shows the password nowhere', async () => {
  const home = join(folder, 'home');
  mkdirSync(home);
  const kept = ['PATH', 'NODE_EXTRA_CA_CERTS'].flatMap((name) => [[name, process.env[name] ?? '']]);
  for (const trust of ['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS']) {
    proxy.asked.length = 0;
    const env = {
      ...Object.fromEntries(kept),
      HOME: home,
      https_proxy: address,
      GITHUB_TOKEN: 'ghp_x',
      [trust]: authority,
    };
    const command = [process.execPath, join(root, 'platform.mjs'), 'credentials', '--check', '--verbose'].slice(0, 4);
    const { child } = await startProcess(command, { env, signal, input: '' });
    const { stdout, stderr } = await child;
    assert.match(`${stdout}${stderr}`, /GitHub does not know this token/);
    assert.deepEqual(proxy.asked.slice(0, 1), ['api.github.com:443'], stderr.toString());
    assert.doesNotMatch(`${stdout}${stderr}`, /canary/);
  }
  const config = loadConfig(folder, { HOME: home, ...through });
  assert.doesNotMatch(inspect(config, { depth: 9, showHidden: true }) + JSON.stringify(config), /canary/);
});

test('one file alone makes requests', () => {
  const makes =
    /(?<![.\w])fetch\(|\b(https?|http2|tls)\.(request|get|connect)\(|\bimport (?!type)[^;]*\b(request|get|Agent)\b[^;]* from 'node:https?'/;
  const files = programFiles().filter((file) => file.startsWith('scripts/') && makes.test(textOf(file)));
  assert.deepEqual(files, ['scripts/lib/http/agent.ts']);
});
