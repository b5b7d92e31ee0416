// That npm run new-service makes a service that the repository's own validation passes, or nothing at all.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { runValidation, validationChecks } from '../../scripts/checks/validate/run.ts';
import { imageInValues } from '../../scripts/repository/image-values.ts';
import { readMetricList } from '../../scripts/repository/metric-names.ts';
import { writeAll } from '../../scripts/repository/new-service/changes.ts';
import { openRepository } from '../../scripts/repository/rendering/repository.ts';
import { lastingFolder, refusal } from '../support/fakes.ts';
import { root } from '../support/helm.ts';
import { run } from '../support/promotion.ts';
import { foundLines, tools, whyNotChecked } from '../support/validation.ts';

/** A copy of all that a service is a part of. */
function copy(from = root): string {
  const folder = lastingFolder();
  for (const name of ['helm', 'argocd', 'observability', 'ingress', 'cluster', 'docs', 'standins'])
    cpSync(join(from, name), join(folder, name), { recursive: true, verbatimSymlinks: true });
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

/** What validation says of a folder, with all checks or some. */
function validated(folder: string, names = validationChecks.map(({ name }) => name)) {
  const chosen = validationChecks.filter(({ name }) => names.includes(name));
  return runValidation(chosen, openRepository(folder, tools), tools);
}

const flags = { port: '9090', image: 'registry.example.com:5000/team/new-comer', tag: 'a1b2c3d', json: true };
/** A copy with a new service, which the tests below leave as it is; what the command said, and how it was before. */
const folder = copy();
const before = tree(folder);
const dry = await run(folder, ['new-service', 'new-comer'], { flags: { ...flags, 'dry-run': true } });
const afterDryRun = tree(folder);
const said = await run(folder, ['new-service', 'new-comer'], { flags });
const after = tree(folder);

test('a dry run changes nothing, and tells the same files as the run', () => {
  assert.deepEqual([dry.code, said.code], [0, 0], dry.text + said.text);
  assert.deepEqual(afterDryRun, before);
  const { files, ...about } = JSON.parse(said.stdout) as { files: { file: string; change: string }[] };
  assert.deepEqual({ ...JSON.parse(dry.stdout), dryRun: false }, { ...about, files });
  assert.deepEqual(about, { service: 'new-comer', port: 9090, image: `${flags.image}:a1b2c3d`, dryRun: false });
  const changed = Object.keys(after).filter((file) => after[file] !== before[file] && after[file] !== 'a folder');
  assert.deepEqual(
    changed.map((file) => ({ file, change: before[file] === undefined ? 'new' : 'changed' })),
    files.toSorted((one, other) => (one.file < other.file ? -1 : 1)),
  );
});

test('a new service passes the validation of the repository', async (t) => {
  const outcomes = await validated(folder);
  assert.equal(foundLines(outcomes), '');
  const reason = whyNotChecked(outcomes);
  if (reason !== undefined) t.diagnostic(reason);
});

test('an edit only adds lines, and as many for the second service as for the first', async () => {
  const more = copy(folder);
  assert.equal((await run(more, ['new-service', 'other'])).code, 0);
  assert.match(text(more, 'standins/server.mjs'), /^ {2}other: httpService\('other', 8080\),$/m);
  const second = tree(more);
  for (const file of Object.keys(before)) {
    const [none, one, two] = [before, after, second].map((files) => (files[file] ?? '').split('\n'));
    assert(none && one && two);
    assert.equal(two.length - one.length, one.length - none.length, file);
    // There the services stand in one line.
    if (file === 'docs/promote-workflow.yml') continue;
    let at = -1;
    for (const line of none) {
      at = one.indexOf(line, at + 1);
      assert(at >= 0, `${file}: ${line}`);
    }
  }
});

/** What somebody may forget or break of a new service, and the rule that finds it; those of a list don't hide each other. */
const faults: [what: string, check: string, rule: string, breakIt: (folder: string) => void][][] = [
  [
    ['its Application', 'applications', 'application-chart', (folder) => rmSync(join(folder, 'argocd/new-comer.yaml'))],
    [
      'the service that its dashboard asks for',
      'queries',
      'query-service',
      (folder) =>
        replace(
          folder,
          dashboard,
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
        const own = /^new-comer:\n {2}recorded:\n( {4}- .*\n)+/m.exec(metrics)?.[0] ?? assert.fail(metrics);
        replace(folder, 'observability/metrics.yaml', own, 'new-comer:\n  recorded:\n    - up_time\n');
        const query = 'process_resident_memory_bytes{namespace=~\\"$namespace\\",service=\\"$service\\"}';
        replace(folder, dashboard, query, 'process_resident_memory_bytes{service=\\"new-comer\\"}');
      },
    ],
  ],
  [
    [
      'its dashboard in Grafana',
      'files',
      'generated-file',
      (folder) =>
        replace(
          folder,
          'observability/grafana/deployment.yaml',
          '              - configMap:\n                  name: grafana-dashboard-new-comer\n',
          '',
        ),
    ],
  ],
  [['its dashboard', 'dashboards', 'allowed-empty', (folder) => rmSync(join(folder, dashboard))]],
];
const dashboard = 'observability/grafana/dashboards/new-comer.json';

function replace(folder: string, file: string, from: string, to: string): void {
  const before = text(folder, file);
  assert(before.includes(from), `${file} has no ${from}`);
  writeFileSync(join(folder, file), before.replace(from, to));
}

for (const group of faults) {
  test(`validation finds what is missing: ${group.map(([what]) => what).join(', ')}`, async (t) => {
    const broken = copy(folder);
    for (const [, , , breakIt] of group) breakIt(broken);
    const outcomes = await validated(
      broken,
      group.map(([, check]) => check),
    );
    const reason = whyNotChecked(outcomes);
    if (reason !== undefined) return t.skip(reason);
    const found = new Set(outcomes.flatMap(({ findings }) => findings.map(({ rule }) => rule)));
    for (const [what, , rule] of group) assert(found.has(rule), `${what}: ${foundLines(outcomes)}`);
  });
}

test('its stand-in answers what the chart and Prometheus ask, under the metrics that are listed', async (t) => {
  assert.match(text(folder, 'standins/server.mjs'), /^ {2}'new-comer': httpService\('new-comer', 9090\),$/m);
  const env = { SERVICE: 'new-comer', PORT: '0', APP_VERSION: 'a1b2c3d', ENV: 'test' };
  const child = spawn(process.execPath, [join(folder, 'standins/server.mjs')], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const [, port] = /new-comer a1b2c3d on :(\d+)/.exec(line.toString()) ?? assert.fail(line.toString());
  const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  assert.equal((await ask('/health')).status, 200);
  const info = { service: 'new-comer', env: 'test', version: 'a1b2c3d', standIn: true };
  assert.deepEqual(await (await ask('/info')).json(), info);
  const metrics = await (await ask('/metrics')).text();
  const { list } = readMetricList(text(folder, 'observability/metrics.yaml'));
  for (const name of list.get('new-comer')?.recorded ?? assert.fail())
    assert.match(metrics, new RegExp(`^${name}\\b`, 'm'));
});

test('what the model has for itself stays with it: variables, callers, secrets, holds, an ingress', async () => {
  const folder = copy();
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
  for (const [what, operands, flags, message] of refused) {
    const said = await run(folder, ['new-service', ...operands], { flags });
    assert.equal(said.code, 2, `${what}: ${said.text}`);
    assert.match(said.text, message, what);
  }
  assert.deepEqual(tree(folder), after);
});

test('a service that is there, or of which something is left, is refused and nothing is overwritten', async () => {
  const again = await run(folder, ['new-service', 'new-comer']);
  assert.deepEqual([again.code, tree(folder)], [2, after]);
  assert.match(again.text, /There is a service new-comer already/);
  const half = copy();
  cpSync(join(folder, 'helm/new-comer'), join(half, 'helm/new-comer'), { recursive: true, verbatimSymlinks: true });
  const left = tree(half);
  const refused = await run(half, ['new-service', 'new-comer']);
  assert.deepEqual([refused.code, tree(half)], [2, left]);
  assert.match(refused.text, /helm\/new-comer is there already/);
});

test('a file that is not as it has to be is named, and nothing is changed', async () => {
  const folder = copy();
  replace(folder, 'observability/allowed-empty.yaml', '\npanels:', '\npanel:');
  const before = tree(folder);
  const said = await run(folder, ['new-service', 'newcomer']);
  assert.equal(said.code, 1);
  assert.match(said.text, /allowed-empty\.yaml has no list of panels, so nothing can be added to it\.\ngit log -p/);
  assert.deepEqual(tree(folder), before);
});

test('it is made after what is there: core-go under another name and elsewhere, api-node, or nothing', async () => {
  const renamed = copy();
  renameModel(renamed, 'core-go', 'gateway');
  replace(renamed, 'argocd/gateway.yaml', '    namespace: default', '    namespace: shop');
  const said = await run(renamed, ['new-service', 'newcomer']);
  assert.equal(said.code, 0, said.text);
  assert.match(text(renamed, 'argocd/newcomer.yaml'), /^ {4}namespace: shop$/m);
  assert.doesNotMatch(text(renamed, 'helm/newcomer/values.yaml') + text(renamed, 'argocd/newcomer.yaml'), /gateway/);

  const without = copy();
  for (const file of ['argocd/core-go.yaml', 'helm/core-go', 'observability/grafana/dashboards/core-go.json'])
    rmSync(join(without, file), { recursive: true });
  const second = await run(without, ['new-service', 'newcomer']);
  assert.equal(second.code, 0, second.text);
  const { env, ingress, networkPolicy } = parse(text(without, 'helm/newcomer/values.yaml'));
  assert.deepEqual([env, ingress.enabled, networkPolicy.toServices], [{ ENV: 'example' }, false, []]);
  assert.equal(foundLines(await validated(without, ['charts', 'releases', 'values', 'applications'])), '');

  rmSync(join(without, 'argocd/newcomer.yaml'));
  rmSync(join(without, 'helm/api-node/charts/common'));
  const before = tree(without);
  const third = await run(without, ['new-service', 'other']);
  assert.deepEqual([third.code, tree(without)], [1, before]);
  assert.match(
    third.text,
    /No service here can be copied for a new one: api-node has no helm\/api-node\/charts\/common; worker/,
  );
});

/** Renames a service in all that a new one is made of. */
function renameModel(folder: string, from: string, to: string): void {
  for (const file of ['argocd/NAME.yaml', 'helm/NAME', 'observability/grafana/dashboards/NAME.json'])
    renameSync(join(folder, file.replace('NAME', from)), join(folder, file.replace('NAME', to)));
  const files = ['argocd/NAME.yaml', 'helm/NAME/Chart.yaml', 'helm/NAME/values.yaml', 'observability/metrics.yaml'];
  for (const file of [...files, 'observability/allowed-empty.yaml', 'observability/grafana/dashboards/NAME.json']) {
    const path = join(folder, file.replace('NAME', to));
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(from, to));
  }
}

test('where a file can not be written, and on Ctrl-C, all that was written before is put back', async () => {
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
  assert.deepEqual(tree(folder), after);

  const aborted = new AbortController();
  aborted.abort();
  const interrupted = await run(folder, ['new-service', 'newcomer'], { signal: aborted.signal });
  assert.deepEqual([interrupted.code, tree(folder)], [130, after]);
});
