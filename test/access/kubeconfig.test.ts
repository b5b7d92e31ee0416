import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import type { Kubeconfig } from '../../scripts/access/kubeconfig/edit.ts';
import { backupOf, changeKubeconfig, writableOf } from '../../scripts/access/kubeconfig/file.ts';
import {
  mergedContextItems,
  mergedInto,
  mergeKubeconfig,
  unmergeKubeconfig,
  withCluster,
  withoutCluster,
} from '../../scripts/access/kubeconfig/merge.ts';
import { writePrivateKubeconfig } from '../../scripts/cluster/kubeconfig.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import { removeItems } from '../../scripts/lib/cleanup.ts';
import { fakeContext, refusal, temporaryFolder } from '../support/fakes.ts';

const folder = await temporaryFolder();
let count = 0;

/** As kind writes it. */
const privateText = (name: string, port = 40000) => `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: QUFB
    server: https://127.0.0.1:${port}
  name: ${name}
contexts:
- context:
    cluster: ${name}
    user: ${name}
  name: ${name}
current-context: ${name}
kind: Config
users:
- name: ${name}
  user:
    client-certificate-data: QkJC
    client-key-data: Q0ND
`;
const ours = { path: '/ops/.state/x/kubeconfig', text: privateText('kind-x'), name: 'kind-x', use: false };
const read = (text: string) => parse(text) as Kubeconfig;
const names = (text: string) => (read(text).contexts ?? []).map(({ name }) => name);

/** Kubeconfigs as people and programs write them; of each, every byte has to be there again at the end. */
const persons: [what: string, text: string][] = [
  ['written by kubectl', privateText('production')],
  ['without a line break at its end', privateText('production').trimEnd()],
  ['with comments, blank lines and another order', `# mine\n\n${privateText('production')}\n# the end\n`],
  [
    'with indented lists',
    privateText('production')
      .replaceAll(/^( *)(- | {2})(?=\S)/gm, '$1  $2')
      .replaceAll(/^ {4}(?=\w+-|server)/gm, '      '),
  ],
  ['with two of each', privateText('one').replace('users:', 'users:\n- name: two\n  user: {token: "a b"}')],
  [
    'with lists on one line',
    'current-context: p\nclusters: [{name: p, cluster: {server: "h"}}]\ncontexts: [{name: p, context: {cluster: p, user: p}}]\nusers: [{name: p, user: {token: t}}]\n',
  ],
  [
    'in JSON',
    JSON.stringify(
      {
        clusters: [{ name: 'p', cluster: {} }],
        contexts: [{ name: 'p', context: {} }],
        users: [{ name: 'p', user: {} }],
        'current-context': 'p',
      },
      undefined,
      2,
    ),
  ],
];
for (const [what, text] of persons) {
  test(`a kubeconfig ${what} gets ours, keeps its current context, and is the same again afterwards`, () => {
    const after = withCluster(text, ours);
    assert.deepEqual(names(after), ['kind-x', ...names(text)]);
    assert.equal(read(after)['current-context'], read(text)['current-context']);
    assert.equal(read(after).clusters?.[0]?.name, 'kind-x');
    assert.equal(withCluster(after, ours), after, 'a second time changes nothing');
    const used = withCluster(after, { ...ours, use: true });
    assert.equal(read(used)['current-context'], 'kind-x');
    for (const back of [
      withoutCluster(after, 'kind-x', ours.path),
      withoutCluster(withCluster(used, ours), 'kind-x', ours.path),
    ])
      assert.equal(back, text);
    assert.equal(withoutCluster(text, 'kind-x', ours.path), undefined);
  });
}

test('a kubeconfig that holds nothing yet gets all that kubectl needs, and no current context that nobody asked for', () => {
  for (const text of ['', '\n', 'apiVersion: v1\nkind: Config\nclusters: []\ncontexts: null\nusers:\n']) {
    const after = read(withCluster(text, ours));
    assert.deepEqual([after.apiVersion, after.kind, after['current-context']], ['v1', 'Config', undefined]);
    assert.deepEqual(after.users, read(ours.text).users);
    const gone = withoutCluster(withCluster(text, { ...ours, use: true }), 'kind-x', ours.path) ?? '';
    assert.deepEqual(read(gone), {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [],
      contexts: [],
      users: [],
      'current-context': '',
    });
  }
});

test('a cluster that was made anew takes the place of the earlier one', () => {
  const after = withCluster(withCluster(privateText('production'), ours), {
    ...ours,
    text: privateText('kind-x', 40001),
  });
  assert.deepEqual(names(after), ['kind-x', 'production']);
  assert.match(after, /127\.0\.0\.1:40001/);
});

test('an entry of that name that somebody else put there is left alone, and so is one of another checkout', async () => {
  const foreign = privateText('kind-x');
  assert.match((await refusal(() => withCluster(foreign, ours))).text, /did not put there[\s\S]*delete-context kind-x/);
  assert.equal(withoutCluster(foreign, 'kind-x', ours.path), undefined);
  assert.equal(withoutCluster(withCluster('', ours), 'kind-x', '/another/kubeconfig'), undefined);
});

test('a context that was the current one before is so again only where it is still there', () => {
  const used = withCluster(privateText('production'), { ...ours, use: true });
  const without = used.replaceAll(/production/g, 'renamed').replace('before: renamed', 'before: production');
  assert.equal(read(withoutCluster(without, 'kind-x', ours.path) ?? '')['current-context'], '');
});

function contextWith(file: string) {
  count += 1;
  const config = { ...loadConfig(join(folder, String(count)), { HOME: folder, KUBECONFIG: file }) };
  const kubeconfig = join(config.stateDir, 'kubeconfig');
  mkdirSync(config.stateDir, { recursive: true });
  writeFileSync(kubeconfig, privateText('kind-x'));
  return fakeContext({ config, kubeconfig, kubeContext: 'kind-x' });
}

test('the file keeps its mode and stays a link, with a backup that only the person can read', async () => {
  const real = join(folder, 'elsewhere', 'config');
  const link = join(folder, 'linked');
  mkdirSync(dirname(real));
  writeFileSync(real, privateText('production'), { mode: 0o640 });
  symlinkSync(real, link);
  const context = contextWith(link);
  assert.deepEqual(await mergeKubeconfig(context, false), { file: link, changed: true });
  assert.deepEqual(await mergeKubeconfig(context, false), { file: link, changed: false });
  assert(lstatSync(link).isSymbolicLink());
  assert.equal(statSync(real).mode & 0o777, 0o640);
  assert.equal(readFileSync(backupOf(real), 'utf8'), privateText('production'));
  assert.equal(statSync(backupOf(real)).mode & 0o777, 0o600);
  assert.equal(await unmergeKubeconfig(context), link);
  assert.equal(readFileSync(real, 'utf8'), privateText('production'));
  assert.equal(await unmergeKubeconfig(context), undefined);
  assert(!existsSync(`${real}.lock`));
});

test('down takes it out of the file that it was put into, wherever KUBECONFIG points by then', async () => {
  const file = join(folder, 'new', 'config');
  const context = contextWith(file);
  assert.deepEqual(mergedContextItems(context), [], 'without a request no file is looked at');
  await mergeKubeconfig(context, true);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const later = fakeContext({ ...context, config: { ...context.config, userKubeconfigs: ['/nowhere'] } });
  // As when the cluster is made anew.
  rmSync(context.config.stateDir, { recursive: true });
  const items = mergedContextItems(later);
  assert.deepEqual(
    items.map(({ name }) => name),
    [`context kind-x in ${file}`],
  );
  assert.deepEqual(await removeItems(items, async () => mergedContextItems(later), new AbortController().signal), []);
  assert.deepEqual(names(readFileSync(file, 'utf8')), []);
});

test('a file that is gone or that somebody cleaned up is no obstacle', async () => {
  const file = join(folder, 'gone');
  const context = contextWith(file);
  await mergeKubeconfig(context, false);
  rmSync(file);
  assert.equal(await unmergeKubeconfig(context), undefined);
  assert.equal(mergedInto(context.config), undefined);
  assert(!existsSync(file));
});

for (const [what, text] of [
  ['is no YAML', 'clusters: [\n'],
  ['is something else', '- a\n- b\n'],
  ['has what can not be edited in place', '{"clusters": []}\n'],
] as const) {
  test(`a file that ${what} is left as it is`, async () => {
    const file = join(folder, `broken ${what}`);
    writeFileSync(file, text);
    assert.match((await refusal(() => mergeKubeconfig(contextWith(file), true))).text, /was left as it is/);
    assert.equal(readFileSync(file, 'utf8'), text);
    assert(!existsSync(backupOf(file)));
  });
}

test("kubectl's lock is honoured, and no lock of ours stays", async () => {
  const file = join(folder, 'locked');
  writeFileSync(`${file}.lock`, '');
  assert.match(
    (await refusal(() => changeKubeconfig(file, () => 'x'))).text,
    /another program is writing it[\s\S]*rm "/,
  );
  rmSync(`${file}.lock`);
  assert.equal(await changeKubeconfig(file, () => undefined), false);
  assert(!existsSync(file) && !existsSync(`${file}.lock`));
});

test('of several files it is the first that exists, as for kubectl', () => {
  const there = join(folder, 'there');
  writeFileSync(there, '');
  assert.equal(writableOf(['/nowhere/a', there, '/nowhere/b']), there);
  assert.equal(writableOf(['/nowhere/a', '/nowhere/b']), '/nowhere/b');
  assert.deepEqual(loadConfig('/nowhere', { HOME: '/home/ann' }).userKubeconfigs, ['/home/ann/.kube/config']);
  assert.deepEqual(loadConfig('/nowhere', { KUBECONFIG: ':/a:/b' }).userKubeconfigs, ['/a', '/b']);
});

test('a new kubeconfig is readable by its owner alone, whatever an earlier command left beside it', async () => {
  const file = join(folder, 'fresh');
  writeFileSync(`${file}.platform-ops-new`, 'half', { mode: 0o644 });
  assert(await changeKubeconfig(file, () => 'x'));
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('a kubeconfig that is a pipe is left as it is', async () => {
  const file = join(folder, 'piped');
  assert.equal(spawnSync('mkfifo', [file]).status, 0);
  assert.match((await refusal(() => changeKubeconfig(file, () => 'x'))).text, /left as it is[\s\S]*a named pipe/);
  assert(lstatSync(file).isFIFO());
});

test('several commands may write the private kubeconfig at once', async () => {
  const context = contextWith('/nowhere');
  const texts = Array.from({ length: 20 }, (_, index) => privateText('kind-x', 40_000 + index));
  await Promise.all(texts.map((text) => writePrivateKubeconfig({ ...context, reconnect: () => {} }, text)));
  assert(texts.includes(readFileSync(context.kubeconfig, 'utf8')));
  assert.equal(statSync(context.kubeconfig).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(dirname(context.kubeconfig)), ['kubeconfig']);
});
