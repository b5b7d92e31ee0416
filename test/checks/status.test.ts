// What `npm run status` prints, as a page and as docs/status.schema.json has it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gatherStatus, type StatusReport } from '../../scripts/checks/status.ts';
import { statusPage } from '../../scripts/commands/status.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import { driftLines } from '../../scripts/delivery/drift/drift.ts';
import type { ExecOptions } from '../../scripts/lib/exec.ts';
import { fakeContext, fakeExec, temporaryFolder } from '../support/fakes.ts';
import { git, gitExec } from '../support/repository.ts';
import { faultsOf, reportIn, statusSchema } from '../support/status-schema.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const about = { application: 'core-go', kind: 'Service', namespace: 'default', name: 'core-go' };
const at = '2026-01-02T03:04:05Z';
const application = { standIn: false, terminating: 0, problem: undefined };

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
      ...application,
      name: 'a',
      revision: 'abcdef01',
      sync: 'Synced',
      health: 'Healthy',
      image: 'x:1',
      problem: 'late',
    },
    { ...application, name: 'b', revision: undefined, sync: 'Unknown', health: 'Missing', image: undefined },
    {
      ...application,
      name: 'c',
      revision: 'abc',
      sync: 'Synced',
      health: 'Healthy',
      image: 'x:2',
      standIn: true,
      terminating: 1,
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
        objects: [{ kind: 'Service', namespace: 'default', name: 'core-go', what: 'set back' }],
      },
    ],
    drilled: [{ application: 'core-go', drill: 'prune' }],
  },
  urls: [
    { title: 'API', url: 'https://api.example.com/info', command: 'curl -k https://api.example.com/info' },
    { title: 'Grafana', url: 'https://grafana.localhost:8443', through: 'npm run port-forward -- ingress' },
  ],
};
const printed = (value: StatusReport) => JSON.stringify(value, undefined, 2);

test('the page shows all that the report has, what is not well marked and with what to do', () => {
  const page = statusPage(report).split('\n');
  const drift = page.indexOf('  ✖ core-go-1: connection refused') + 1;
  const addresses = page.findIndex((line) => line.startsWith('API'));
  assert.deepEqual(page.slice(0, drift), [
    '✔ cluster  kind-cluster-1',
    '✖ argo-cd  Namespace argocd is missing',
    '✖ grafana  0 of 1 pods ready',
    '',
    'Application  revision  sync     health   image',
    'a            abcdef0   Synced   Healthy  x:1',
    'b            -         Unknown  Missing  no pod',
    'c            abc       Synced   Healthy  x:2 (stand-in), 1 old pod terminating',
    '',
    'Prometheus: 1 of 2 targets up',
    '  ✖ core-go-1: connection refused',
  ]);
  assert.deepEqual(page.slice(drift, addresses), ['', ...driftLines(report.drift), '']);
  assert.deepEqual(page.slice(addresses, -1), [
    'API      curl -k https://api.example.com/info',
    'Grafana  https://grafana.localhost:8443',
    'They answer while this runs: npm run port-forward -- ingress',
    '',
    'Images are pulled with the token in .env.',
    '! The token expires on 2 January.',
    '  → Make another one.',
    '',
  ]);
  assert.match(page.at(-1) ?? '', /npm run up.*npm run doctor/);
});

test('where all is well the page says so, without a cluster it shows no empty tables', () => {
  const credentials = { state: 'none', message: 'There is no token.', notes: [] } as const;
  const well = statusPage({
    ...{ ...report, credentials: { ...credentials, notes: [] }, ok: true },
    drift: { now: [], healed: [], drilled: [] },
    targets: { up: 2, total: 2, down: [] },
  });
  assert.match(well, /\nPrometheus: 2 of 2 targets up\n\nAPI [\s\S]*\n\nThere is no token\.\n\nAll is well\.$/);
  const missing = { name: 'cluster', state: 'absent', missing: 'there is no cluster x' } as const;
  const none = { ...report, credentials: { ...credentials, notes: [] }, components: [missing], applications: [] };
  assert.match(statusPage(none), /^✖ cluster {2}there is no cluster x\n\n.*npm run up.*$/);
});

test('a report with every field there is is what the schema says, which knows no other field', () => {
  assert.deepEqual(reportIn(printed(report)), JSON.parse(printed(report)));
  const fields = (schema: unknown): string[] =>
    typeof schema !== 'object' || schema === null
      ? []
      : Object.entries(schema).flatMap(([key, value]) =>
          key === 'properties' ? [...Object.keys(value), ...Object.values(value).flatMap(fields)] : fields(value),
        );
  const unknown = fields(statusSchema).filter((field) => !printed(report).includes(`"${field}":`));
  assert.deepEqual(unknown, []);
});

test('what is no report is refused, with the place', () => {
  for (const [value, fault] of [
    [{ ...report, ok: undefined }, / must have required property 'ok'/],
    [{ ...report, more: 1 }, / must NOT have additional properties/],
    [{ ...report, components: [{ name: 'x', state: 'ready', missing: 'y' }] }, /^\/components\/0/],
    [{ ...report, components: [{ name: 'x', state: 'unready' }] }, /^\/components\/0/],
    [{ ...report, targets: { ...report.targets, up: '1' } }, /^\/targets\/up must be integer/],
    [{ ...report, credentials: { ...report.credentials, token: 'ghp_x' } }, /^\/credentials must NOT/],
  ] as const)
    assert.match(faultsOf(JSON.parse(JSON.stringify(value)))[0] ?? '', fault);
  assert.throws(() => reportIn('{"ok":true}'), /docs\/status\.schema\.json/);
});

const account = {
  ...{ title: 'the token in .env', token: { reveal: () => 'ghp_0123456789' }, source: '.env', checked: true },
  owner: { login: 'ann', scopes: ['read:packages'], expires: undefined },
};
for (const found of [undefined, account])
  test(`what the code makes without a cluster, ${found ? 'with' : 'without'} a token, is what the schema says`, async () => {
    const docker = fakeExec(() => ({ exitCode: 1, stderr: 'Error response from daemon: No such container: x' }));
    const context = fakeContext({
      config: loadConfig(root, { HOME: await temporaryFolder(), PATH: '/nonexistent' }),
      exec: (command: readonly [string, ...string[]], options?: ExecOptions) =>
        (command[0] === 'git' ? gitExec : docker)(command, options),
      node: 'x-control-plane',
      credentials: { search: async () => ({ account: found, notes: [] }) },
      images: { inNode: () => Promise.reject(new Error('there is no node')) },
      signal: new AbortController().signal,
      checkout: async () => ({ commonDir: '/nowhere/.git', head: git(root, 'rev-parse', 'HEAD') }),
    });
    const made = await gatherStatus(context);
    assert.equal(made.components[0]?.state, 'absent');
    assert.deepEqual(faultsOf(JSON.parse(printed(made))), []);
  });
