import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gatherStatus, type StatusReport } from '../../scripts/checks/status.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import type { ExecOptions } from '../../scripts/lib/exec.ts';
import { fakeContext, fakeExec, temporaryFolder } from '../support/fakes.ts';
import { git, gitExec } from '../support/repository.ts';
import { faultsOf, reportIn, statusSchema } from '../support/status-schema.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const home = await temporaryFolder();
const about = { application: 'core-go', kind: 'Service', namespace: 'default', name: 'core-go' };
const at = '2026-01-02T03:04:05Z';

/** Each field that there is, once at least. */
const report: StatusReport = {
  ok: false,
  cluster: 'kind-cluster-1',
  credentials: {
    state: 'account',
    message: 'Images are pulled with the token in .env.',
    remedy: 'Make another one.',
    notes: ['The token expires on 2 January.'],
    account: { login: 'ann', scopes: ['read:packages'], expires: null, source: '.env', ending: 'abcd', checked: true },
  },
  components: [
    { name: 'cluster', state: 'ready', detail: 'kind-cluster-1' },
    { name: 'argo-cd', state: 'absent', missing: 'Namespace argocd is missing' },
    { name: 'grafana', state: 'unready', missing: '0 of 1 pods ready', hint: 'npm run up' },
  ],
  applications: [
    {
      name: 'a',
      revision: 'abc',
      sync: 'Synced',
      health: 'Healthy',
      image: 'x:1',
      standIn: true,
      terminating: 1,
      problem: 'late',
    },
    {
      name: 'b',
      revision: undefined,
      sync: 'Unknown',
      health: 'Missing',
      image: undefined,
      standIn: false,
      terminating: 0,
      problem: undefined,
    },
  ],
  targets: { up: 1, total: 2, down: [{ name: 'core-go-1', error: 'connection refused' }] },
  drift: {
    now: [
      { ...about, what: 'edited', edits: [{ by: 'kubectl-edit', at, fields: ['spec.replicas'] }], argocd: 'sees it' },
    ],
    healed: [
      {
        application: 'core-go',
        at,
        seconds: 1.5,
        revision: 'abc',
        objects: [{ ...about, what: 'set back' }].map(named),
      },
    ],
    drilled: [{ application: 'core-go', drill: 'prune' }],
  },
  urls: [
    { title: 'API', url: 'https://api.example.com/info', command: 'curl -k https://api.example.com/info' },
    { title: 'Grafana', url: 'https://grafana.localhost:8443', through: 'npm run port-forward -- ingress' },
  ],
};

function named({ kind, namespace, name, what }: { kind: string; namespace: string; name: string; what: string }) {
  return { kind, namespace, name, what: what as 'set back' };
}
const printed = (value: StatusReport) => JSON.stringify(value, undefined, 2);

test('a report with every field there is is what the schema says', () => {
  assert.deepEqual(reportIn(printed(report)), JSON.parse(printed(report)));
});

test('the schema knows no field that a report does not have', () => {
  const fields = (schema: unknown): string[] =>
    typeof schema !== 'object' || schema === null
      ? []
      : Object.entries(schema).flatMap(([key, value]) =>
          key === 'properties' ? [...Object.keys(value), ...Object.values(value).flatMap(fields)] : fields(value),
        );
  const text = printed(report);
  const unknown = fields(statusSchema).filter((field) => !text.includes(`"${field}":`));
  assert.deepEqual(unknown, []);
});

test('what is no report is refused, with the place', () => {
  const { ok, ...without } = report;
  assert.match(faultsOf(without).join(), /must have required property 'ok'/);
  const wrong: [object, RegExp][] = [
    [{ ...report, more: 1 }, / must NOT have additional properties/],
    [{ ...report, components: [{ name: 'x', state: 'ready', missing: 'y' }] }, /^\/components\/0/],
    [{ ...report, components: [{ name: 'x', state: 'unready' }] }, /^\/components\/0/],
    [{ ...report, targets: { ...report.targets, up: '1' } }, /^\/targets\/up must be integer/],
    [{ ...report, credentials: { ...report.credentials, token: 'ghp_x' } }, /^\/credentials must NOT/],
  ];
  for (const [value, fault] of wrong) assert.match(faultsOf(value)[0] ?? '', fault);
  assert.throws(() => reportIn('{"ok":true}'), /docs\/status\.schema\.json/);
  assert.equal(ok, false);
});

const docker = fakeExec(() => ({ exitCode: 1, stderr: 'Error response from daemon: No such container: x' }));

for (const [what, search] of [
  ['no token', async () => ({ account: undefined, notes: [] })],
  [
    'an account',
    async () => ({
      account: {
        title: 'the token in .env',
        token: { reveal: () => 'ghp_0123456789' },
        source: '.env',
        owner: { login: 'ann', scopes: ['read:packages'], expires: undefined },
        checked: true,
      },
      notes: [],
    }),
  ],
] as const) {
  test(`a report that the code makes without a cluster, with ${what}, is what the schema says`, async () => {
    const context = fakeContext({
      config: loadConfig(root, { HOME: home, PATH: '/nonexistent' }),
      exec: (command: readonly [string, ...string[]], options?: ExecOptions) =>
        (command[0] === 'git' ? gitExec : docker)(command, options),
      node: 'x-control-plane',
      credentials: { search },
      images: { inNode: () => Promise.reject(new Error('there is no node')) },
      signal: new AbortController().signal,
      checkout: async () => ({ commonDir: '/nowhere/.git', head: git(root, 'rev-parse', 'HEAD') }),
    });
    const made = await gatherStatus(context);
    assert.equal(made.components[0]?.state, 'absent');
    assert.deepEqual(faultsOf(JSON.parse(printed(made))), []);
  });
}
