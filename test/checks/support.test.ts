import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { collectSecrets, createRedactor } from '../../scripts/checks/support-bundle/secrets.ts';
import { renderSections as sectionsText } from '../../scripts/checks/support-bundle/sections.ts';
import { redactedText } from '../../scripts/commands/support-bundle.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import { ApiError } from '../../scripts/kubernetes/api/api.ts';
import { Interrupted } from '../../scripts/lib/errors.ts';
import type { ExecOptions } from '../../scripts/lib/exec.ts';
import { formsOf } from '../e2e/canary.ts';
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
const ofKubeconfig = 'only-the-kubeconfig-knows-this-one';
const secrets = [
  secret('ghcr-cred', {
    '.dockerconfigjson': JSON.stringify({ auths: { 'ghcr.io': { auth: base64(`ann:${inCluster}`) } } }),
  }),
  secret('grafana-admin', { 'admin-password': password }),
  secret('bootstrap', { namespace: 'kube-system' }),
];
const home = await temporaryFolder();

/** A machine and a cluster that say the secrets wherever they can say anything. */
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

test('where the Secrets of the cluster can not be known, nothing of it is written', async () => {
  const api = () => ({ list: () => Promise.reject(new ApiError('/x', 403, 'forbidden')) });
  const { text } = await refusal(() => redactedText(leakingContext({ toolbox, api }), true));
  assert.match(text, /which have to be left out: .*403.*\n.*--without-cluster/);
});

test('of Secrets the values are known, and the passwords in logins, but no public part', async () => {
  const known = (await collectSecrets(leakingContext(), true)).map(({ text }) => text);
  for (const value of [token, password, inCluster, ofKubeconfig]) assert(known.includes(value), value);
  assert(!known.includes('kube-system'));
});

test('a section that fails says so beside the others, and an interruption ends it all', async () => {
  const one = { title: 'one', make: async () => 'text' };
  const fails = (error: Error) => [{ title: 'two', make: () => Promise.reject(error) }, one];
  const context = leakingContext();
  assert.equal(
    await sectionsText(context, fails(new Error('no way'))),
    '== two\n\ncould not be had: no way\n\n== one\n\ntext\n',
  );
  await assert.rejects(sectionsText(context, fails(new Interrupted())), Interrupted);
});

test('the command writes a file that only its owner reads, once, and prints where it is', () => {
  const output = join(home, 'support.log');
  const command = ['platform.mjs', 'support', '--output', output];
  // git and node alone, so that nothing of this machine is waited for.
  const env = {
    PATH: `${process.env.PATH}`,
    HOME: home,
    GITHUB_TOKEN: token,
    DOCKER_HOST: 'unix:///nonexistent.sock',
    CLUSTER_NAME: 'support-test',
  };
  const run = () => spawnSync('node', [...command, '--without-cluster'], { cwd: root, env, encoding: 'utf8' });
  const ran = run();
  assert.equal(ran.stdout, `${output}\n`, ran.stderr);
  assert.equal(statSync(output).mode & 0o777, 0o600);
  assert(!readFileSync(output, 'utf8').includes(token));
  const again = run();
  assert.equal(again.status, 1);
  assert.match(again.stderr, /could not be written: .*EEXIST/);
});
