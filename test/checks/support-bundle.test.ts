// What of a Secret is known, that nothing of it is left in a text, in whatever form, and what the bundle tells.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { secretValues } from '../../scripts/checks/support-bundle/secret-values.ts';
import { collectSecrets, createRedactor } from '../../scripts/checks/support-bundle/secrets.ts';
import { clusterSections, renderSections } from '../../scripts/checks/support-bundle/sections.ts';
import { redactedText, supportBundleCommand } from '../../scripts/commands/support-bundle.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import { ApiError } from '../../scripts/kubernetes/api/api.ts';
import { fieldManager } from '../../scripts/kubernetes/kubectl.ts';
import { Interrupted, shortened } from '../../scripts/lib/errors.ts';
import type { ExecOptions } from '../../scripts/lib/exec.ts';
import { formsOf, plantedSecrets } from '../e2e/canary.ts';
import { made } from '../support/fake-cluster.ts';
import { fakeContext, fakeExec, refusal, temporaryFolder } from '../support/fakes.ts';
import { git, gitExec } from '../support/repository.ts';
import { root } from '../support/tracked-files.ts';

const token = 'ghp_Canary0123456789abcdefghijklmnopqrst';
const base64 = (text: string) => Buffer.from(text).toString('base64');
const password = 'p-Ss/w+rd&"9\\x';

test('a token is taken out in every form in which it could be found, whatever stands around it', () => {
  const { redact, shows } = createRedactor([{ text: token }]);
  for (const user of ['', 'a', 'ann', 'octocat']) {
    for (const form of formsOf(token, user)) {
      const redacted = redact(`before ${form} after\n${form}`);
      assert.equal(redacted, 'before [redacted] after\n[redacted]', form);
      assert(shows(`x ${form}`) && !shows(redacted));
    }
  }
  const login = base64(JSON.stringify({ data: base64(`octocat:${token}`) }));
  assert.equal(redact(`"${login}"`), '"[redacted]"');
});

test('a password with letters that addresses and JSON write in another way is taken out in those, too', () => {
  const { redact, shows } = createRedactor([{ text: `${password}\n` }]);
  for (const form of [password, encodeURIComponent(password), JSON.stringify(password), base64(password)]) {
    assert(!redact(`say ${form}.`).includes(form), form);
    assert(shows(form));
  }
});

test('what only looks like a secret is taken out, and all else stays as it is', () => {
  const { redact } = createRedactor([{ text: 'ghp_ZqK8vW3nRy5tLm1xPb7cHd0sJf4gUa6eTo2i' }]);
  const text = 'a short text of ghcr.io/zainasr/api-node:1df3b1f, sha256:0123456789abcdef, YWJjZGVmZ2hpamtsbW5vcA==\n';
  assert.equal(redact(text), text);
  const key = '-----BEGIN RSA PRIVATE KEY-----\nMIIB\nAAAA\n-----END RSA PRIVATE KEY-----';
  assert.equal(redact(`x\n${key}\ny`), 'x\n[redacted]\ny');
  assert.equal(redact(`ghp_${'9'.repeat(36)}`), '[redacted]');
  assert.equal(redact('https://ann:secret-word@example.com/x'), '[redacted]example.com/x');
});

const redactorOf = (data: Record<string, string | Buffer>) =>
  createRedactor(Object.entries(data).flatMap(([key, value]) => secretValues(Buffer.from(value), key)));

for (const { name, data, said, hidden } of plantedSecrets())
  test(`of the Secret ${name} nothing is left`, () => {
    const { redact, shows } = redactorOf(data);
    for (const line of said) assert(shows(line), `${line} is not known`);
    const text = said.join('\n');
    for (const part of hidden) assert(text.includes(part), `${part} is not said, so nothing is tested`);
    const redacted = redact(text);
    for (const part of hidden) assert(!redacted.includes(part), `${part} in ${redacted}`);
    assert(!shows(redacted), redacted);
  });

test('12 characters in a row of a long secret are taken out, wherever it was cut off', () => {
  const secret = 'q7RtY2uIoP9aSdF4gHjK1lZxC8vBnM3wEe6';
  const { redact } = redactorOf({ token: secret });
  for (let from = 0; from + 12 <= secret.length; from += 1) {
    assert.equal(redact(`<${secret.slice(from)}>`), '<[redacted]>');
    assert.equal(redact(`<${secret.slice(0, from + 12)}…`), '<[redacted]…');
  }
});

test('a short secret is a word of its own, and an ordinary word is hidden behind the name of a secret only', () => {
  const { redact } = redactorOf({ password: 'api', enabled: 'true', code: '7', token: 'error' });
  const text = 'api-node rapid apis 7 pods, "ready": true, error: none of 17';
  assert.equal(redact(text), text);
  assert.equal(redact('user:api@x, token=error code: 7.'), 'user:[redacted]@x, token=[redacted] code: [redacted].');
});

test('names, addresses and dates of Secrets stay, and so do public parts', () => {
  const { redact } = redactorOf({
    url: 'https://github.com/someone/platform-ops.git',
    username: 'octocat',
    namespace: 'kube-system',
    'tls.crt': '-----BEGIN CERTIFICATE-----\nMIIBpublicpublicpublic\n-----END CERTIFICATE-----',
    changed: '2026-03-04T05:06:07Z',
    description: "The default bootstrap token generated by 'kubeadm init'.",
  });
  const text = 'octocat reads https://github.com/someone/platform-ops.git at 2026-03-04T05:06:08Z; token generated';
  assert.equal(redact(text), text);
  assert.equal(redact('MIIBpublicpublicpublic of kube-system'), 'MIIBpublicpublicpublic of kube-system');
});

test('of an address that has a login in it the password is known, though its key says that it is an address', () => {
  const { redact } = redactorOf({ url: 'https://ann:s%40Fe-word@example.com/a' });
  assert.equal(redact('s@Fe-word, s%40Fe-word'), '[redacted], [redacted]');
});

test('what is no text is known by its base64', () => {
  const bytes = Buffer.from(Array.from({ length: 60 }, (_, i) => (i * 89 + 130) % 256));
  const { redact } = redactorOf({ 'store.jks': bytes });
  assert.equal(redact(`x ${bytes.toString('base64')} y`), 'x [redacted] y');
});

test('a private key that nobody knows is taken out, also where one of its ends is cut off', () => {
  const { redact } = createRedactor([]);
  const [begin, end] = ['-----BEGIN EC PRIVATE KEY-----', '-----END EC PRIVATE KEY-----'];
  assert.equal(redact(`a\n${begin}\nMHcC/abc\n[pod] time MHcC+x==\n${end}\nb`), 'a\n[redacted]\nb');
  assert.equal(redact(`last: Zm9v\nYmFy\n${end}\nb: c`), 'last: [redacted]\nb: c');
  assert.equal(redact(`a\n${begin}\nMHcC/abc\n[pod] goes on`), 'a\n[redacted][pod] goes on');
});

test('what a tool said is cut between words, so that no token is cut in two', () => {
  assert.equal(shortened('one two three', 13), 'one two three');
  assert.equal(shortened('one two three', 9), 'one two…');
  assert.equal(shortened('one two three', 7), 'one two…');
  assert.equal(shortened('{"token":"abcdefgh"}', 15), '{"token":"…');
  assert.equal(shortened('a'.repeat(20), 10), '…');
});

const secret = (name: string, data: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'default' },
  data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)])),
});
const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'core-go-1', namespace: 'default', uid: 'u' },
  spec: { containers: [{ name: 'app', image: 'x:1' }] },
  status: {
    phase: 'Running',
    containerStatuses: [{ name: 'app', restartCount: 2, state: { running: {} }, lastState: { terminated: {} } }],
  },
};
const inCluster = 'only-the-cluster-knows-this-one';
// Nothing longer than a few letters is also in the one above, or that one would hide it.
const ofKubeconfig = 'Zq8xK-like-no-other-4711';
const secrets = [
  secret('ghcr-cred', {
    '.dockerconfigjson': JSON.stringify({ auths: { 'ghcr.io': { auth: base64(`ann:${inCluster}`) } } }),
  }),
  secret('grafana-admin', { 'admin-password': password }),
  secret('bootstrap', { namespace: 'kube-system' }),
];
const home = await temporaryFolder();

/** A machine and a cluster that say the secrets wherever they can say anything. */
const asItIs = (text: string) => text;

function leakingContext(parts: object = {}) {
  const leak = [...formsOf(token, 'ann'), password, inCluster, ofKubeconfig].join(' | ');
  const leaky = fakeExec((line) => {
    if (line.startsWith('gh auth token')) return { stdout: `${token}\n` };
    if (line.startsWith('docker logs')) return { stdout: `node says ${leak}\n`, stderr: leak };
    return { exitCode: 1, stderr: `No such container: x, ${leak}` };
  });
  const environment = { HOME: home, PATH: '/nonexistent', GITHUB_TOKEN: token };
  const config = { ...loadConfig(root, environment), stateDir: join(home, 'state') };
  mkdirSync(config.stateDir, { recursive: true });
  writeFileSync(join(config.stateDir, 'kubeconfig'), `users: [{ name: x, user: { token: ${ofKubeconfig} } }]`);
  writeFileSync(join(config.stateDir, 'timeline.json'), JSON.stringify({ step: `kept, ${leak}` }));
  return fakeContext({
    config,
    exec: (command: readonly [string, ...string[]], options?: ExecOptions) =>
      (command[0] === 'git' ? gitExec : leaky)(command, options),
    node: 'x-control-plane',
    kubeconfig: join(config.stateDir, 'kubeconfig'),
    signal: new AbortController().signal,
    toolbox: { find: async () => Promise.reject(new Interrupted()) },
    credentials: { search: async () => ({ account: undefined, notes: [leak] }) },
    checkout: async () => ({ commonDir: '/nowhere/.git', head: git(root, 'rev-parse', 'HEAD'), branch: 'main' }),
    reconnect: () => {},
    api: () => ({
      list: async (_: string, kind: string) => (kind === 'Secret' ? secrets : [pod]),
      json: async () => ({
        items: [
          {
            metadata: { namespace: 'default' },
            reason: 'Failed',
            message: leak,
            involvedObject: { kind: 'Pod', name: 'core-go-1' },
          },
        ],
      }),
      lines: async (path: string, _: number, onLine: (line: string) => void) => {
        onLine(`2026-01-02T03:04:05.000000000Z ${path.includes('previous') ? 'died' : 'runs'} with ${leak}`);
        return '';
      },
    }),
    ...parts,
  });
}
const toolbox = { find: async (name: string) => ({ name, path: `/x/${name}`, version: 'v1', source: 'path' }) };

test('the file tells what others need, with no secret in it though everything says them', async () => {
  const text = await redactedText(leakingContext({ toolbox }), true);
  for (const form of [...formsOf(token, 'ann'), password, inCluster, ofKubeconfig, base64(password)])
    assert(!text.includes(form), form);
  for (const section of ['versions', 'settings', 'doctor', 'status', 'timelines', 'pods', 'warnings of the last hour'])
    assert.match(text, new RegExp(`^== ${section}$`, 'm'));
  for (const told of [
    git(root, 'rev-parse', 'HEAD'),
    '"inEnvironment": true',
    'default/core-go-1  Running  not ready  2 restarts',
    'Pod default/core-go-1 Failed (1): [redacted]',
    '[core-go-1, the run before] 2026-01-02T03:04:05.000000000Z died with [redacted]',
    '[core-go-1] 2026-01-02T03:04:05.000000000Z runs with [redacted]',
    'node says [redacted]',
    '"step":"kept, [redacted]',
    '"stateDir": "~/state"',
  ])
    assert(text.includes(told), `${told}\n${text}`);
  assert(!text.includes(home), 'nor the name of the account');
});

test('a container that starts again after the look at its pod does not take its last words with it', async () => {
  const ended = {
    ...pod,
    status: { phase: 'Running', containerStatuses: [{ name: 'app', restartCount: 0, state: { terminated: {} } }] },
  };
  let runs = 1;
  const api = () => ({
    list: async (_: string, kind: string) => (kind === 'Secret' ? [] : [ended]),
    json: async () => ({ items: [] }),
    lines: async (path: string, _: number, onLine: (line: string) => void) => {
      if (!path.includes('previous')) runs += 1;
      else if (runs === 1) throw new ApiError(path, 400, 'previous terminated container not found');
      else onLine('2026-01-02T03:04:05.000000000Z last words');
      return '';
    },
  });
  const text = await redactedText(leakingContext({ toolbox, api }), true);
  assert(text.includes('[core-go-1, the run before] 2026-01-02T03:04:05.000000000Z last words'), text);
});

test('without the cluster nothing of it is asked for', async () => {
  const api = () => assert.fail('the cluster is asked');
  const text = await redactedText(leakingContext({ toolbox, api }), false);
  assert(!text.includes('== pods') && !text.includes(token));
});

test('of a cluster that others use as well, what is theirs is neither told nor read', async () => {
  const applied = { managedFields: [{ manager: fieldManager, operation: 'Apply' }], creationTimestamp: '2026-01-02' };
  const namespaces = ['platform-ops', 'argocd'].map((name) => made('Namespace', name, applied));
  const places = { argocd: 'argocd-server-1', default: 'core-go-1', theirs: 'core-go-1' };
  const pods = [...Object.entries(places), ['default', 'mine-1'] as const].map(([namespace, name]) => ({
    ...pod,
    metadata: { name, namespace },
  }));
  const read: (string | undefined)[] = [];
  const api = () => ({
    listMetadata: async (_: string, kind: string) =>
      kind === 'Namespace' ? [...namespaces, made('Namespace', 'theirs')] : [],
    list: async (_: string, kind: string, namespace?: string) => {
      if (kind === 'Secret') read.push(namespace);
      return kind === 'Pod' ? pods : [];
    },
    json: async () => ({
      items: pods.map(({ metadata }) => ({ metadata, involvedObject: { kind: 'Pod', name: metadata.name } })),
    }),
    lines: async () => '2026-01-02T03:04:05Z it runs',
  });
  const text = await renderSections(leakingContext({ target: 'theirs', api }), clusterSections, asItIs);
  const told = [...text.matchAll(/\b(?:argocd|default|theirs)\/\S+/g)].map(([name]) => name);
  assert.deepEqual([...new Set(told)].toSorted(), ['argocd/argocd-server-1', 'default/core-go-1']);
  assert(!text.includes('mine-1') && text.includes('[core-go-1] '), text);
  await collectSecrets(leakingContext({ target: 'theirs', api }), true);
  assert.deepEqual(read.toSorted(), ['argocd', 'default']);
});

test('where the Secrets of the cluster can not be known, nothing of it is written', async () => {
  const api = () => ({ list: () => Promise.reject(new ApiError('/x', 403, 'forbidden')) });
  const { text } = await refusal(() => redactedText(leakingContext({ toolbox, api }), true));
  assert.match(text, /which have to be left out: .*403.*\n.*--without-cluster/);
});

test('a section that fails says so beside the others, and an interruption ends it all', async () => {
  const one = { title: 'one', make: async () => 'text' };
  const fails = (error: Error) => [{ title: 'two', make: () => Promise.reject(error) }, one];
  const context = leakingContext();
  assert.equal(
    await renderSections(context, fails(new Error('no way')), asItIs),
    '== two\n\ncould not be had: no way\n\n== one\n\ntext\n',
  );
  await assert.rejects(renderSections(context, fails(new Interrupted()), asItIs), Interrupted);
});

test('a key that is cut off in one section takes nothing of the next along', async () => {
  const sections = ['as -----BEGIN PRIVATE KEY-----\nMIIEvQ', 'it speaks:\nMIIEvQ\n-----END PRIVATE KEY-----'].map(
    (text, index) => ({ title: `section ${index}`, make: async () => text }),
  );
  const text = await renderSections(leakingContext(), sections, createRedactor([]).redact);
  assert.match(text, /== section 1\n\nit speaks:\n/);
  assert(!text.includes('MIIEvQ'), text);
});

test('the command writes a file that only its owner reads, once, and prints where it is', async () => {
  const output = join(home, 'support.log');
  const printed: string[] = [];
  const run = () =>
    supportBundleCommand.run({
      config: { ...loadConfig(root, { HOME: home, PATH: '/nonexistent', GITHUB_TOKEN: token }), stateDir: home },
      flags: { output, 'without-cluster': true },
      word: undefined,
      signal: new AbortController().signal,
      print: (line) => void printed.push(line),
      progressStream: { write: () => true } as unknown as NodeJS.WriteStream,
    });
  assert.equal(await run(), 0);
  assert.deepEqual(printed, [output]);
  assert.equal(statSync(output).mode & 0o777, 0o600);
  assert(!readFileSync(output, 'utf8').includes(token));
  assert.match((await refusal(run)).text, /could not be written: .*EEXIST/);
});
