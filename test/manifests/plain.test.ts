// The manifests that are not Helm charts, beyond what npm run validate demands of them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { identityOf, parseObjects } from '../../scripts/kubernetes/objects.ts';
import { panelQueriesOf } from '../../scripts/repository/dashboards/queries.ts';
import { readManifestFolder } from '../../scripts/repository/manifests.ts';
import { openRepository } from '../../scripts/repository/rendering/repository.ts';
import { noTools } from '../support/fakes.ts';
import { root } from '../support/helm.ts';

// biome-ignore lint/suspicious/noExplicitAny: manifests are read as they come; the assertions are their types.
type Manifest = any;

const repository = openRepository(root, noTools);
assert.deepEqual(await repository.faults(), []);
const objects: { file: string; id: string; object: Manifest }[] = (await repository.manifests())
  .filter(({ file }) => !file.startsWith('argocd/'))
  .map(({ file, object }) => ({ file, id: `${object.kind}/${object.metadata?.name ?? object.name}`, object }));
const ofKind = (kind: string) => objects.filter(({ object }) => object.kind === kind);
const configMap = (name: string): Record<string, string> =>
  ofKind('ConfigMap').find(({ object }) => object.metadata.name === name)?.object.data ?? assert.fail(`no ${name}`);

test('a Role or binding has a label: its rules are owned as a whole, so after a change by hand nothing else shows that up applied it', () => {
  const all = objects.filter(({ object }) => /^(Cluster)?Role(Binding)?$/.test(object.kind));
  assert(all.length > 10);
  for (const { file, id, object } of all)
    assert(Object.keys(object.metadata.labels ?? {}).length > 0, `${file}: ${id}`);
});

test('every object has a field beside its name: only of such a one the API server records that up applied it', () => {
  for (const { file, id, object } of objects) {
    const { apiVersion: _, kind: __, metadata = {}, ...rest } = object;
    const { name: ___, namespace: ____, ...more } = metadata;
    assert(Object.keys({ ...rest, ...more }).length > 0, `${file}: ${id}`);
  }
});

test('every Deployment but the Git server has its three probes', () => {
  const deployments = ofKind('Deployment').filter(({ id }) => id !== 'Deployment/git-server');
  assert(deployments.length >= 6);
  for (const { id, object } of deployments)
    for (const container of object.spec.template.spec.containers)
      for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'])
        assert(probe in container, `${id}: ${probe}`);
});

test('images have a registry in their name, and are not pulled again', () => {
  for (const { id, object } of objects) {
    const { initContainers = [], containers = [] } = object.spec?.template?.spec ?? {};
    for (const { image, imagePullPolicy } of [...initContainers, ...containers]) {
      assert.match(image, /^[a-z0-9.]+\/[a-z0-9./-]+:v?\d+\.\d+\.\d+$/, id);
      assert.equal(imagePullPolicy, 'IfNotPresent', id);
    }
  }
});

test('the platform has these hosts', () => {
  const hosts = ofKind('Ingress').flatMap(({ object }) => object.spec.rules.map(({ host }: Manifest) => host));
  assert.deepEqual(hosts.sort(), ['argocd.localhost', 'grafana.localhost', 'prometheus.localhost']);
});

test("Argo CD's health checks use no Lua library, since its Lua has none", () => {
  const checks = Object.entries(configMap('argocd-cm')).filter(([key]) =>
    key.startsWith('resource.customizations.health.'),
  );
  assert.equal(checks.length, 2);
  for (const [key, lua] of checks) assert.doesNotMatch(lua, /\b(string|table|os|io|math)\.|\w:\w+\(|\brequire\b/, key);
});

const dashboards = ofKind('ConfigMap')
  .filter(({ object }) => object.metadata.name.startsWith('grafana-dashboard-'))
  .flatMap(({ object }): [string, string][] => Object.entries(object.data))
  .filter(([name]) => name.endsWith('.json'));
test('there are dashboards', () => assert(dashboards.length > 0));
for (const [file, text] of dashboards) {
  test(`the panels of ${file} lie side by side on the grid, which is 24 wide`, () => {
    const { panels } = JSON.parse(text) as {
      panels: { title: string; gridPos: Record<'x' | 'y' | 'w' | 'h', number> }[];
    };
    const taken = new Map<string, string>();
    for (const { title, gridPos } of panels) {
      assert(gridPos.x >= 0 && gridPos.x + gridPos.w <= 24, `${title} is beside the grid`);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          assert.equal(taken.get(`${x} ${y}`), undefined, `${title} lies on another panel`);
          taken.set(`${x} ${y}`, title);
        }
      }
    }
  });
}

/** Why a test that needs promtool can't run, or false. */
const skip = spawnSync('promtool', ['--version']).error ? 'promtool is not on the PATH' : false;

function promtool(...args: string[]) {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
}

test('promtool can parse every query of the dashboards', { skip }, () => {
  const questions = dashboards.flatMap(([, text]) => panelQueriesOf(JSON.parse(text)));
  // As a rules file, which is what promtool checks; it only reads files.
  const rules = questions.map(({ expr }, i) => ({ record: `query:${i}`, expr }));
  const scratch = mkdtempSync(join(tmpdir(), 'platform-ops-promtool-'));
  try {
    const file = join(scratch, 'rules.yml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboards', rules }] }));
    promtool('check', 'rules', file);
  } finally {
    rmSync(scratch, { recursive: true });
  }
});

const folders = ['alertmanager', 'grafana', 'kube-state-metrics', 'node-exporter', 'prometheus'];
for (const name of folders) {
  test(`kubectl apply -f reads nothing but objects in observability/${name}, the Namespace first`, async () => {
    const folder = `observability/${name}`;
    const read = (await repository.files(folder)).filter(
      (file) => dirname(file) === folder && /\.(ya?ml|json)$/.test(file),
    );
    const all = read.flatMap((file) => parseObjects(readFileSync(join(root, file), 'utf8')));
    assert.equal(all[0]?.kind, 'Namespace', read[0]);
    // What `up` applies are the same objects, each once.
    const once = new Map(all.map((object) => [identityOf(object), object]));
    assert.deepEqual(new Map((await readManifestFolder(root, folder)).map((one) => [identityOf(one), one])), once);
    for (const object of all) {
      // kubectl keeps the whole object in an annotation.
      assert(Buffer.byteLength(JSON.stringify(object)) < 256 * 1024, identityOf(object));
      if (object.kind === 'Namespace') assert.deepEqual(object, once.get(identityOf(object)));
    }
  });
}

test('a file is parsed once, also where two ask for it at the same time', async () => {
  const { manifest } = openRepository(root, noTools);
  const [one, other] = await Promise.all([manifest('argocd/project.yaml'), manifest('argocd/project.yaml')]);
  assert.equal(one, other);
});
