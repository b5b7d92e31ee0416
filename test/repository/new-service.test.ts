// That npm run new-service makes a service that the repository's own validation passes, or nothing at all.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, cpSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { findingLines } from '../../scripts/checks/validate/print.ts';
import { runValidation, validationChecks } from '../../scripts/checks/validate/run.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import { createContext } from '../../scripts/context.ts';
import { imageInValues } from '../../scripts/repository/image-values.ts';
import { readMetricList } from '../../scripts/repository/metric-names.ts';
import { writeAll } from '../../scripts/repository/new-service/changes.ts';
import type { Tools } from '../../scripts/repository/rendering/finding.ts';
import { openRepository } from '../../scripts/repository/rendering/repository.ts';
import { refusal, temporaryFolder } from '../support/fakes.ts';
import { root } from '../support/helm.ts';
import { run } from '../support/promotion.ts';

const context = createContext(loadConfig(root), { signal: new AbortController().signal, offline: true });
const tools: Tools = { exec: context.exec, find: (name) => context.toolbox.find(name) };

/** A copy of all that a service is a part of. */
async function copy(): Promise<string> {
  const folder = await temporaryFolder();
  for (const name of ['helm', 'argocd', 'observability', 'ingress', 'cluster', 'docs', 'standins'])
    cpSync(join(root, name), join(folder, name), { recursive: true, verbatimSymlinks: true });
  return folder;
}

/** Every file and folder, with what is in it. */
function tree(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const told = entries.map((entry): [string, string] => {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(folder.length + 1);
    if (entry.isSymbolicLink()) return [name, `-> ${readlinkSync(path)}`];
    return [name, entry.isFile() ? readFileSync(path, 'utf8') : 'a folder'];
  });
  return Object.fromEntries(told.sort(([one], [other]) => (one < other ? -1 : 1)));
}

const text = (folder: string, file: string) => readFileSync(join(folder, file), 'utf8');

async function made(name: string, flags: Record<string, string | boolean> = {}): Promise<string> {
  const folder = await copy();
  const said = await run(folder, ['new-service', name], { flags });
  assert.equal(said.code, 0, said.text);
  return folder;
}

/** What validation finds, by its rules; and what it could not look for on this machine. */
async function validated(folder: string, names = validationChecks.map(({ name }) => name)) {
  const chosen = validationChecks.filter(({ name }) => names.includes(name));
  const outcomes = await runValidation(chosen, openRepository(folder, tools), tools);
  return {
    findings: outcomes.flatMap(({ findings }) => findings.flatMap(findingLines)),
    rules: new Set(outcomes.flatMap(({ findings }) => findings.map(({ rule }) => rule))),
    lacking: outcomes.filter(({ notChecked }) => notChecked).map(({ check }) => check.name),
  };
}

test('a new service passes the validation of the repository, and a dry run tells the same files', async (t) => {
  const folder = await copy();
  const before = tree(folder);
  const flags = { port: '9090', image: 'registry.example.com:5000/team/newcomer', tag: 'a1b2c3d', json: true };
  const dry = await run(folder, ['new-service', 'newcomer'], { flags: { ...flags, 'dry-run': true } });
  assert.equal(dry.code, 0, dry.text);
  assert.deepEqual(tree(folder), before);

  const said = await run(folder, ['new-service', 'newcomer'], { flags });
  const { files, ...about } = JSON.parse(said.stdout) as { files: { file: string; change: string }[] };
  assert.deepEqual({ ...JSON.parse(dry.stdout), dryRun: false }, { ...about, files });
  assert.deepEqual(about, {
    service: 'newcomer',
    port: 9090,
    image: 'registry.example.com:5000/team/newcomer:a1b2c3d',
    dryRun: false,
  });
  const after = tree(folder);
  const changed = Object.keys(after).filter((file) => after[file] !== before[file] && after[file] !== 'a folder');
  assert.deepEqual(changed, files.map(({ file }) => file).sort());
  assert.deepEqual(
    files.filter(({ change }) => change === 'new').map(({ file }) => before[file]),
    files.filter(({ change }) => change === 'new').map(() => undefined),
  );

  const { findings, lacking } = await validated(folder);
  assert.deepEqual(findings, []);
  if (lacking.length > 0) t.diagnostic(`not looked at, for want of a tool: ${lacking.join(', ')}`);
});

test('what an edit adds is all that it changes: every line that was there is there, in the same order', async () => {
  const folder = await made('newcomer');
  for (const file of [
    'observability/metrics.yaml',
    'observability/prometheus/rules/targets.yml',
    'observability/prometheus/tests/targets.yml',
    'observability/grafana/kustomization.yaml',
    'observability/grafana/allowed-empty.yaml',
    'standins/server.mjs',
  ]) {
    const lines = text(folder, file).split('\n');
    let at = -1;
    for (const line of text(root, file).split('\n')) {
      at = lines.indexOf(line, at + 1);
      assert(at >= 0, `${file}: ${line}`);
    }
  }
});

test('the second service adds as much to a file that is there as the first: nothing grows with the square', async () => {
  const folder = await copy();
  const sizes = [tree(folder)];
  for (const name of ['first', 'other']) {
    assert.equal((await run(folder, ['new-service', name])).code, 0);
    sizes.push(tree(folder));
  }
  const [none = {}, one = {}, two = {}] = sizes;
  for (const file of Object.keys(none)) {
    const lines = [none, one, two].map((size) => (size[file] ?? '').split('\n').length);
    const [before = 0, first = 0, second = 0] = lines;
    assert.equal(second - first, first - before, file);
  }
});

/** What somebody may forget or break of a new service, and the rule that finds it. */
const faults: [string, string, string, (folder: string) => void][] = [
  ['its Application', 'applications', 'application-chart', (folder) => rmSync(join(folder, 'argocd/newcomer.yaml'))],
  [
    'its dashboard in the kustomization',
    'files',
    'kustomization-left-out',
    (folder) => replace(folder, 'observability/grafana/kustomization.yaml', '      - dashboards/newcomer.json\n', ''),
  ],
  [
    'its dashboard',
    'dashboards',
    'allowed-empty',
    (folder) => rmSync(join(folder, 'observability/grafana/dashboards/newcomer.json')),
  ],
  [
    'the service that its dashboard asks for',
    'queries',
    'query-service',
    (folder) =>
      replace(
        folder,
        'observability/grafana/dashboards/newcomer.json',
        'sum(up{namespace=~\\"$namespace\\",service=\\"$service\\"})',
        'sum(up{service=\\"newcommer\\"})',
      ),
  ],
  [
    'its metrics',
    'queries',
    'query-metric',
    (folder) => {
      const metrics = text(folder, 'observability/metrics.yaml');
      const own = /^newcomer:\n {2}recorded:\n( {4}- .*\n)+/m.exec(metrics)?.[0] ?? assert.fail(metrics);
      replace(folder, 'observability/metrics.yaml', own, 'newcomer:\n  recorded:\n    - up_time\n');
      replace(
        folder,
        'observability/grafana/dashboards/newcomer.json',
        'process_resident_memory_bytes{namespace=~\\"$namespace\\",service=\\"$service\\"}',
        'process_resident_memory_bytes{service=\\"newcomer\\"}',
      );
    },
  ],
  [
    'its line in the alert on absent services',
    'queries',
    'service-absence',
    (folder) => {
      const line = '            or\n          absent(up{service="newcomer"})\n';
      replace(folder, 'observability/prometheus/rules/targets.yml', line, '');
    },
  ],
  [
    'its series in the tests of the alert',
    'prometheus',
    'prometheus-tests',
    (folder) => {
      const series = `      - series: 'up{job="newcomer",namespace="default",service="newcomer",instance="10.0.0.1:80"}'\n        values: 1x10\n`;
      replace(folder, 'observability/prometheus/tests/targets.yml', series, '');
    },
  ],
];

function replace(folder: string, file: string, from: string, to: string): void {
  const before = text(folder, file);
  assert(before.includes(from), `${file} has no ${from}`);
  writeFileSync(join(folder, file), before.replace(from, to));
}

for (const [what, check, rule, breakIt] of faults) {
  test(`without ${what}, validation finds it (${rule})`, async (t) => {
    const folder = await made('newcomer');
    breakIt(folder);
    const { rules, lacking, findings } = await validated(folder, [check]);
    if (lacking.length > 0) return t.skip(`${check} can't be run here`);
    assert(rules.has(rule), findings.join('\n'));
  });
}

test('its stand-in answers what the chart and Prometheus ask, under the metrics that are listed', async (t) => {
  const folder = await made('unit-test-newcomer');
  assert.match(
    text(folder, 'standins/server.mjs'),
    /^ {2}'unit-test-newcomer': httpService\('unit-test-newcomer', 8080\),$/m,
  );
  const env = { SERVICE: 'unit-test-newcomer', PORT: '0', APP_VERSION: 'a1b2c3d', ENV: 'test' };
  const child = spawn(process.execPath, [join(folder, 'standins/server.mjs')], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const [, port] = /unit-test-newcomer a1b2c3d on :(\d+)/.exec(line.toString()) ?? assert.fail(line.toString());
  const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  assert.equal((await ask('/health')).status, 200);
  const info = { service: 'unit-test-newcomer', env: 'test', version: 'a1b2c3d', standIn: true };
  assert.deepEqual(await (await ask('/info')).json(), info);
  const metrics = await (await ask('/metrics')).text();
  const { list } = readMetricList(text(folder, 'observability/metrics.yaml'));
  for (const name of list.get('unit-test-newcomer')?.recorded ?? assert.fail())
    assert.match(metrics, new RegExp(`^${name}\\b`, 'm'));
});

test('what the model has for itself stays with it: variables, callers, secrets, holds, an ingress', async () => {
  const folder = await copy();
  const file = 'helm/core-go/values.yaml';
  replace(folder, file, '  ENV: example\n', '  ENV: example\n  # -- Where its database is.\n  DATABASE: db\n');
  replace(folder, file, '  # -- The build', '  # hold: bad1234 was rolled back by Ann.\n  # -- The build');
  replace(folder, file, '  enabled: false\n  # -- Variable name', '  enabled: true\n  # -- Variable name');
  replace(folder, file, '  encryptedData: {}', '  encryptedData:\n    TOKEN: AgB');
  replace(folder, 'helm/core-go/values-dev.yaml', 'ENV: dev', 'ENV: hello');
  appendFileSync(join(folder, 'helm/core-go/values-dev.yaml'), '\ningress:\n  # -- Try it.\n  enabled: true\n');
  const said = await run(folder, ['new-service', 'newcomer']);
  assert.equal(said.code, 0, said.text);

  const values = text(folder, 'helm/newcomer/values.yaml');
  const { env, networkPolicy, sealedSecret } = parse(values);
  assert.deepEqual(env, { ENV: 'example' });
  assert.deepEqual([networkPolicy.fromServices, networkPolicy.toServices], [[], []]);
  assert.deepEqual(sealedSecret, { enabled: false, encryptedData: {} });
  assert.doesNotMatch(values, /hold:|core-go|api-node|CORE_GO/);
  const { tag, repository } = imageInValues(text(folder, file)) ?? assert.fail();
  assert.deepEqual(imageInValues(values), { tag, repository: repository.replace('core-go', 'newcomer') });
  const { env: dev, ingress } = parse(text(folder, 'helm/newcomer/values-dev.yaml'));
  assert.deepEqual([dev, ingress], [{ ENV: 'dev' }, undefined]);
});

const refused: [string, string[], Record<string, string>, RegExp][] = [
  ['a capital letter', ['Newcomer'], {}, /"Newcomer" can't be the name of a service\.\nTake up to 40 small letters/],
  ['a digit first', ['2fast'], {}, /can't be the name/],
  ['a dash last', ['newcomer-'], {}, /can't be the name/],
  ['a path', ['../newcomer'], {}, /can't be the name/],
  ['41 letters', ['a'.repeat(41)], {}, /can't be the name/],
  ['a name that is there', ['core-go'], {}, /There is a service core-go already\.\nChoose another name/],
  ['the Service of the API server', ['kubernetes'], {}, /called kubernetes: that is the Service of the API server/],
  ['the library chart', ['common'], {}, /that is the library chart/],
  ['a word of promote', ['all'], {}, /that is the word by which npm run promote/],
  ['a component', ['git-source'], {}, /that is a part of the platform/],
  ['a scrape job', ['kubelet'], {}, /that is a scrape job/],
  ['a dashboard', ['gitops'], {}, /that is the uid of one of Grafana's dashboards/],
  ['what helm test runs', ['core-go-test'], {}, /too like core-go/],
  ['no text to YAML', ['off'], {}, /that is no text to YAML/],
  ['a port that only root may open', ['newcomer'], { port: '80' }, /"80" can't be the port.*\n.*1024 to 65535/],
  ['a port that is none', ['newcomer'], { port: 'http' }, /"http" can't be the port/],
  ['an image with its tag', ['newcomer'], { image: 'ghcr.io/a/newcomer:1' }, /Name it without a tag, as in --image/],
  ['a tag that is none', ['newcomer'], { tag: 'a b' }, /"a b" can't be the tag of an image/],
];
test('a wrong wish is refused in a sentence, and nothing is changed', async () => {
  const folder = await copy();
  const before = tree(folder);
  for (const [what, operands, flags, message] of refused) {
    const said = await run(folder, ['new-service', ...operands], { flags });
    assert.equal(said.code, 2, `${what}: ${said.text}`);
    assert.match(said.text, message, what);
  }
  assert.deepEqual(tree(folder), before);
});

test('it says at the second time that the service is there, and overwrites nothing that is left of one', async () => {
  const folder = await made('newcomer');
  const after = tree(folder);
  const again = await run(folder, ['new-service', 'newcomer']);
  assert.deepEqual(
    [again.code, again.text],
    [2, 'There is a service newcomer already.\nChoose another name; nothing was changed.'],
  );
  assert.deepEqual(tree(folder), after);

  const half = await copy();
  cpSync(join(folder, 'helm/newcomer'), join(half, 'helm/newcomer'), { recursive: true, verbatimSymlinks: true });
  const before = tree(half);
  const said = await run(half, ['new-service', 'newcomer']);
  assert.deepEqual([said.code, tree(half)], [2, before]);
  assert.match(said.text, /helm\/newcomer is there already, and nothing is overwritten\./);
});

test('a file that is not as it has to be is named, and nothing is changed', async () => {
  const folder = await copy();
  replace(folder, 'observability/prometheus/rules/targets.yml', 'alert: ServiceMissing', 'alert: ServiceGone');
  const before = tree(folder);
  const said = await run(folder, ['new-service', 'newcomer']);
  assert.equal(said.code, 1);
  assert.match(
    said.text,
    /rules\/targets\.yml has no alert ServiceMissing, so nothing can be added to it\.\ngit log -p/,
  );
  assert.deepEqual(tree(folder), before);
});

test('where a file can not be written, and on Ctrl-C, all that was written before is put back', async () => {
  const folder = await copy();
  const before = tree(folder);
  const changes = [
    { file: 'helm/newcomer/charts/common', after: '../../common', link: true as const },
    { file: 'helm/newcomer/Chart.yaml', after: 'name: newcomer\n' },
    { file: 'standins/server.mjs', before: text(folder, 'standins/server.mjs'), after: 'broken' },
    // Below a file there can be none.
    { file: 'standins/Dockerfile/newcomer', after: '' },
  ];
  const { error, text: said } = await refusal(() => writeAll(folder, changes, new AbortController().signal));
  assert.equal(error.exitCode, 1);
  assert.match(said, /^standins\/Dockerfile\/newcomer could not be written: ENOTDIR.* Nothing was changed\.\n/);
  assert.deepEqual(tree(folder), before);

  const aborted = new AbortController();
  aborted.abort();
  const interrupted = await run(folder, ['new-service', 'newcomer'], { signal: aborted.signal });
  assert.deepEqual([interrupted.code, tree(folder)], [130, before]);
});
