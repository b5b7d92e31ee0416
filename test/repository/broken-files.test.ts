import assert from 'node:assert/strict';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { parseDocument, visit } from 'yaml';
import { runValidation, validationChecks } from '../../scripts/checks/validate/run.ts';
import { readPrometheusLimits } from '../../scripts/checks/verify/capacity.ts';
import { assertProjectsAllow, registrations } from '../../scripts/components/applications.ts';
import { appliedManifests } from '../../scripts/components/applied.ts';
import { kustomizedRelease } from '../../scripts/components/argo-cd.ts';
import { allComponents } from '../../scripts/components/index.ts';
import { readRoutes } from '../../scripts/components/routes.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import { UserError } from '../../scripts/lib/errors.ts';
import { imagesAtHead, ingressesAtHead } from '../../scripts/repository/committed-values.ts';
import { dashboardConfigMaps, readDashboards } from '../../scripts/repository/dashboards/files.ts';
import { readRegistrations } from '../../scripts/repository/registrations.ts';
import { openRepository } from '../../scripts/repository/rendering/repository.ts';
import { findServices } from '../../scripts/repository/service-files.ts';
import { fakeContext, lastingFolder, noTools } from '../support/fakes.ts';
import { commit, createRepository, gitExec } from '../support/repository.ts';

/**
 * Every file that people edit by hand, damaged in every way that is easy to think of: whatever reads it works, or says one
 * sentence about it. Nothing ends in a TypeError, which would look like a bug of ours. FILES is how many files are
 * damaged (of each kind of damage), chosen by SEED.
 */
const seed = Number(process.env.SEED ?? 1);
const files = Number(process.env.FILES ?? 2);

/** A small generator of numbers (mulberry32), the same for the same seed. */
function random(state: number): () => number {
  let at = state;
  return () => {
    at = (at + 0x6d2b79f5) | 0;
    let t = Math.imul(at ^ (at >>> 15), 1 | at);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
const next = random(seed);
const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;

const top = process.cwd();
const root = lastingFolder();
createRepository(root);
const folders = ['argocd', 'cluster', 'helm', 'ingress', 'observability'];
for (const folder of [...folders, 'package.json'])
  cpSync(join(top, folder), join(root, folder), { recursive: true, verbatimSymlinks: true });
commit(root, 'All files');

const edited = folders
  .flatMap((folder) => readdirSync(join(top, folder), { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile() && /\.(ya?ml|json)$/.test(entry.name) && !entry.parentPath.includes('templates'))
  .map((entry) => join(entry.parentPath, entry.name).slice(top.length + 1));

/** Another shape for one place of a document. */
const shapes = ['text', 7, null, true, [], {}, [null], ['text'], [{}], { text: 'text' }];

const lockOf = (file: string) => join(dirname(file), `.#${basename(file)}`);
const damages: Record<string, (file: string, text: string) => void> = {
  'is cut': (file, text) => writeFileSync(file, text.slice(0, Math.floor(text.length * next()))),
  'has conflict markers': (file, text) => writeFileSync(file, `<<<<<<< HEAD\n${text}=======\n${text}>>>>>>> other\n`),
  'has a tab': (file, text) => writeFileSync(file, text.replace(/\n {2}/, '\n\t')),
  'is no UTF-8': (file, text) => writeFileSync(file, Buffer.from(text.replace(/[a-z]/, '\u00e9'), 'latin1')),
  'is empty': (file) => writeFileSync(file, ''),
  'has only a comment': (file) => writeFileSync(file, '# nothing\n'),
  'is a folder': (file) => {
    rmSync(file);
    mkdirSync(file);
  },
  'is a link to nothing': (file) => {
    rmSync(file);
    symlinkSync('nowhere', file);
  },
  'is a link to a device': (file) => {
    rmSync(file);
    symlinkSync('/dev/zero', file);
  },
  'has a lock of an editor beside it': (file) => symlinkSync('ann@laptop.4711:1700000000', lockOf(file)),
  'is not there': (file) => rmSync(file),
  'may not be read': (file) => chmodSync(file, 0),
  'has another shape somewhere': (file, text) => {
    const document = parseDocument(text, { version: '1.1' });
    if (document.errors.length > 0) return;
    const nodes: unknown[] = [];
    visit(document, { Node: (_, node) => void nodes.push(node) });
    const chosen = pick(nodes);
    visit(document, { Node: (_, node) => (node === chosen ? document.createNode(pick(shapes)) : undefined) });
    writeFileSync(file, file.endsWith('.json') ? JSON.stringify(document.toJS()) : document.toString());
  },
};

/** Everything that reads those files without a cluster, each by a new context. */
function readers(): Record<string, () => Promise<unknown>> {
  const config = { ...loadConfig(root, {}), parts: ['alertmanager', 'kube-state-metrics', 'node-exporter'] };
  const checkout = async () => ({ top: root, prefix: '', head: 'HEAD', commonDir: join(root, '.git'), borrows: [] });
  const context = fakeContext({ config, exec: gitExec, checkout });
  const components = allComponents().flatMap(({ name, read }) =>
    // Argo CD's manifests come from its release, by kubectl.
    read && name !== 'argo-cd' ? [[`component ${name}`, () => read(context)] as const] : [],
  );
  return {
    ...Object.fromEntries(components),
    registrations: () => readRegistrations(root),
    'what projects allow': async () => [assertProjectsAllow((await readRegistrations(root)).objects)],
    'what is registered': () => registrations(context),
    services: () => findServices(context, 'all'),
    images: () => imagesAtHead(context),
    ingresses: () => ingressesAtHead(context),
    dashboards: () => readDashboards(root),
    'ConfigMaps of dashboards': () => dashboardConfigMaps(root),
    'limits of Prometheus': () => readPrometheusLimits(root),
    "Argo CD's kustomization": () => {
      const toolbox = { find: async () => ({ path: 'kubectl' }) };
      const exec = async () => ({ stdout: '', stderr: '', exitCode: 0 });
      const kubectl = fakeContext({ config, exec, toolbox, downloads: { offline: true } });
      return kustomizedRelease(kubectl, async () => join(root, 'package.json'));
    },
    routes: () => readRoutes(root),
    'manifests and checks for validate': async () => {
      const tools = { ...noTools, exec: gitExec };
      const repository = openRepository(root, tools);
      const quick = validationChecks.filter(({ name }) =>
        ['files', 'applications', 'promotion', 'values'].includes(name),
      );
      await runValidation(quick, repository, tools);
      return Promise.all([repository.manifests(), repository.faults(), repository.charts()]);
    },
  };
}

test('what is whole is read', async () => {
  for (const [name, read] of Object.entries(readers())) assert.notEqual(await read(), undefined, name);
});

for (const [damage, inflict] of Object.entries(damages))
  test(`a file that ${damage} is read, or one sentence says what is wrong with it`, async () => {
    const chosen = files >= edited.length ? edited : Array.from({ length: files }, () => pick(edited));
    for (const file of chosen) {
      const path = join(root, file);
      const text = readFileSync(path, 'utf8');
      try {
        inflict(path, text);
        if (file.startsWith('helm/')) commit(root, `${file} ${damage}`);
        for (const [name, read] of Object.entries(readers()))
          await read().catch((error) => {
            if (!(error instanceof UserError)) throw new Error(`${name}: ${file} ${damage}`, { cause: error });
          });
      } finally {
        for (const one of [path, lockOf(path)]) rmSync(one, { recursive: true, force: true });
        writeFileSync(path, text);
        if (file.startsWith('helm/')) commit(root, `${file} mended`);
      }
    }
  });

test('a lock of an editor and a broken file are a finding each, and the rest is read all the same', async () => {
  const files = { lock: 'argocd/.#core-go.yaml', broken: 'ingress/broken.yaml' };
  symlinkSync('ann@laptop.4711:1700000000', join(root, files.lock));
  writeFileSync(join(root, files.broken), 'a: [\n');
  try {
    const repository = openRepository(root, noTools);
    const manifests = await repository.manifests();
    const faults = (await repository.faults()).map(({ rule, file }) => [rule, file]);
    assert.deepEqual(faults, [
      ['yaml-syntax', files.broken],
      ['file-readable', files.lock],
    ]);
    assert.ok(manifests.some(({ object }) => object.kind === 'Application'));
  } finally {
    for (const file of Object.values(files)) rmSync(join(root, file));
  }
});

test('a manifest beside the routes is applied with them; one that an Application deploys counts as applied, others do not', async () => {
  const object = (kind: string, name: string) => `apiVersion: v1\nkind: ${kind}\nmetadata: { name: ${name} }\n`;
  writeFileSync(
    join(root, 'ingress/extra.yaml'),
    `${object('ConfigMap', 'extra')}---\n${object('Namespace', 'extra')}`,
  );
  try {
    const routes = (await readRoutes(root)).map(({ kind }) => kind);
    assert.equal(routes[0], 'Namespace');
    assert.ok(routes.includes('ConfigMap'));
    const source = { repoURL: 'https://github.com/zainasr/platform-ops.git', path: './observability/loki/' };
    const elsewhere = { repoURL: 'https://example.com/other.git', path: 'observability/tempo' };
    const specs = [
      { source },
      { source: elsewhere },
      { generators: [{ git: { directories: [{ path: 'cluster/apps/*' }] } }] },
    ];
    const registered = specs.map((spec) => ({
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'A',
      metadata: { name: 'a' },
      spec,
    }));
    const isApplied = await appliedManifests({ config: { root, gitops: undefined }, exec: gitExec }, registered);
    const asked = [
      ...['ingress/extra.yaml', 'ingress/traefik.yaml', 'observability/loki/x.yaml', 'cluster/apps/a/x.yaml'],
      ...['cluster/kind.yaml', 'cluster/argocd/full/argocd-cm.yaml', 'observability/grafana/service.yaml'],
      ...['ingress/team/x.yaml', 'observability/tempo/x.yaml', 'cluster/extra.yaml', 'observability/grafana/x/y.yaml'],
    ];
    assert.deepEqual(asked.map(isApplied), [...Array(7).fill(true), ...Array(4).fill(false)]);
  } finally {
    rmSync(join(root, 'ingress/extra.yaml'));
  }
});
