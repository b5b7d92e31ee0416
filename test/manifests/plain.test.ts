// The manifests that are no Helm chart: that they hold together, and that every pod in them is locked down.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { panelQueriesOf } from '../../scripts/repository/dashboards/queries.ts';
import { openRepository } from '../../scripts/repository/rendering/repository.ts';
import { noTools } from '../support/fakes.ts';

// biome-ignore lint/suspicious/noExplicitAny: manifests are read as they come; the assertions are their types.
type Manifest = any;

const root = fileURLToPath(new URL('../../', import.meta.url));
const repository = openRepository(root, noTools);
assert.deepEqual(await repository.faults(), []);
const objects: { file: string; id: string; object: Manifest }[] = (await repository.manifests())
  .filter(({ file }) => !file.startsWith('argocd/'))
  .map(({ file, object }) => ({ file, id: `${object.kind}/${object.metadata?.name ?? object.name}`, object }));
const files = new Set(objects.map(({ file }) => file));
const ofKind = (kind: string) => objects.filter(({ object }) => object.kind === kind);
const configMap = (name: string): Record<string, string> =>
  ofKind('ConfigMap').find(({ object }) => object.metadata.name === name)?.object.data ?? assert.fail(`no ${name}`);

const pods = objects
  .filter(({ object }) => object.spec?.template?.spec?.containers)
  .map(({ id, object }) => ({ id, namespace: object.metadata.namespace, template: object.spec.template }));
const containers = pods.flatMap(({ id, template }) =>
  [...(template.spec.initContainers ?? []), ...template.spec.containers].map((container: Manifest) => ({
    id: `${id} ${container.name}`,
    container,
    pod: template.spec,
  })),
);

const CLUSTER_WIDE = new Set(
  'Namespace ClusterRole ClusterRoleBinding IngressClass ValidatingWebhookConfiguration APIService Cluster'.split(' '),
);

/** What a container may have although the rule says no, each with its reason. */
const EXCEPTIONS: Record<string, { rule: string; because: string }[]> = {
  'Deployment/ingress-nginx-controller controller': [
    { rule: 'read-only', because: 'nginx.conf is written next to the templates of the image' },
    { rule: 'NET_BIND_SERVICE', because: 'the programs carry this file capability and would not start without' },
  ],
  'Deployment/git-server git-daemon': [
    { rule: 'readinessProbe', because: 'its only pod is ready once it has started: said in the manifest' },
  ],
};
const excepted = (id: string, rule: string) => (EXCEPTIONS[id] ?? []).some((exception) => exception.rule === rule);

test('there is something to check', () => {
  assert(files.size >= 15 && pods.length >= 6, `${files.size} files, ${pods.length} pods`);
});

test('every object has a field beside its name: only of such a one the API server records that up applied it', () => {
  for (const { file, id, object } of objects) {
    const { apiVersion: _, kind: __, metadata = {}, ...rest } = object;
    const { name: ___, namespace: ____, ...more } = metadata;
    assert(Object.keys({ ...rest, ...more }).length > 0, `${file}: ${id}`);
  }
});

test('every object says what it is, and where it belongs', () => {
  for (const { file, id, object } of objects) {
    assert(object.apiVersion && object.kind, `${file}: ${id}`);
    if (CLUSTER_WIDE.has(object.kind)) assert.equal(object.metadata?.namespace, undefined, `${file}: ${id}`);
    else assert(object.metadata?.namespace, `${file}: ${id} has no namespace, so the kubeconfig would decide`);
  }
});

test('no object is there twice', () => {
  const ids = objects.map(({ id, object }) => `${object.metadata?.namespace ?? ''} ${id}`);
  assert.deepEqual(
    ids.filter((id, i) => ids.indexOf(id) !== i),
    [],
  );
});

test('no Secret is in Git', () => {
  assert.deepEqual(ofKind('Secret'), []);
});

test('images are pinned', () => {
  for (const { id, container } of containers) {
    assert.match(
      container.image,
      /^[a-z0-9.]+\/[a-z0-9./-]+:v?\d+\.\d+\.\d+$/,
      `${id}: a registry, a name and an exact version`,
    );
    assert.equal(container.imagePullPolicy, 'IfNotPresent', id);
  }
});

for (const { id, container, pod } of containers) {
  test(`${id} is hardened and has resources`, () => {
    const security = { ...pod.securityContext, ...container.securityContext };
    assert.equal(security.runAsNonRoot, true);
    assert(security.runAsUser > 0, 'a numeric user, or the kubelet can not tell that it is not root');
    assert.equal(security.seccompProfile?.type, 'RuntimeDefault');
    assert.equal(security.allowPrivilegeEscalation, false);
    assert.notEqual(security.privileged, true);
    assert.deepEqual(security.capabilities?.drop, ['ALL']);
    const added = (security.capabilities?.add ?? []).filter((capability: string) => !excepted(id, capability));
    assert.deepEqual(added, []);
    assert.equal(security.readOnlyRootFilesystem, !excepted(id, 'read-only'));
    assert(!pod.hostNetwork && !pod.hostPID && !pod.hostIPC);
    const { requests, limits } = container.resources ?? {};
    assert(requests?.cpu && requests?.memory && limits?.memory);
  });
}

for (const { id, template } of pods) {
  test(`${id} has a token only with an account of its own, and probes if it stays`, () => {
    const { spec } = template;
    assert(spec.serviceAccountName || spec.automountServiceAccountToken === false);
    if (!id.startsWith('Deployment/')) return;
    for (const container of spec.containers) {
      for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
        assert.equal(probe in container, !excepted(`${id} ${container.name}`, probe), `${container.name}: ${probe}`);
      }
    }
  });
}

test('selectors match the pods that they are for, and Services lead to a port that exists', () => {
  const matches = (selector: Record<string, string>, labels: Record<string, string>) =>
    Object.entries(selector).every(([name, value]) => labels[name] === value);
  for (const { id, object } of ofKind('Deployment')) {
    assert(matches(object.spec.selector.matchLabels, object.spec.template.metadata.labels), id);
  }
  for (const { id, object } of ofKind('Service')) {
    const chosen = pods.filter(
      (pod) =>
        pod.namespace === object.metadata.namespace && matches(object.spec.selector, pod.template.metadata.labels),
    );
    assert.equal(chosen.length, 1, `${id} selects ${chosen.map((pod) => pod.id).join(', ') || 'nothing'}`);
    const ports = chosen[0]?.template.spec.containers.flatMap((container: Manifest) => container.ports ?? []);
    for (const { targetPort } of object.spec.ports) {
      assert(
        ports.some((port: Manifest) => port.name === targetPort),
        `${id}: ${targetPort}`,
      );
    }
  }
});

test('Ingress backends are Services of ours, or of Argo CD', () => {
  const services = new Set(
    ofKind('Service').flatMap(({ object: { metadata, spec } }) =>
      spec.ports.map((port: Manifest) => `${metadata.namespace}/${metadata.name}:${port.name}`),
    ),
  );
  services.add('argocd/argocd-server:http');
  const hosts = ofKind('Ingress').flatMap(({ id, object: { metadata, spec } }) => {
    assert.equal(spec.ingressClassName, ofKind('IngressClass')[0]?.object.metadata.name, id);
    return spec.rules.map(({ host, http }: Manifest) => {
      for (const { backend } of http.paths) {
        const name = `${metadata.namespace}/${backend.service.name}:${backend.service.port.name}`;
        assert(services.has(name), `${id}: ${name}`);
      }
      return host;
    });
  });
  assert.deepEqual(hosts.sort(), ['argocd.localhost', 'grafana.localhost', 'prometheus.localhost']);
});

test('roles grant nothing by wildcard, and bindings lead to accounts of ours', () => {
  const accounts = new Set(ofKind('ServiceAccount').map(({ object: { metadata: m } }) => `${m.namespace}/${m.name}`));
  for (const { id, object } of [...ofKind('Role'), ...ofKind('ClusterRole')]) {
    for (const rule of object.rules) assert(!JSON.stringify(rule).includes('*'), `${id}: ${JSON.stringify(rule)}`);
  }
  for (const { id, object } of [...ofKind('RoleBinding'), ...ofKind('ClusterRoleBinding')]) {
    for (const { namespace, name } of object.subjects) assert(accounts.has(`${namespace}/${name}`), id);
  }
});

test("Argo CD's health checks use no Lua library, since its Lua has none", () => {
  const checks = Object.entries(configMap('argocd-cm')).filter(([key]) =>
    key.startsWith('resource.customizations.health.'),
  );
  assert.equal(checks.length, 2);
  for (const [key, lua] of checks) assert.doesNotMatch(lua, /\b(string|table|os|io|math)\.|\w:\w+\(|\brequire\b/, key);
});

const dashboards = Object.entries(configMap('grafana-dashboards'));
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

const folder = join(root, 'observability/prometheus');

test('promtool takes the files of Prometheus as they lie there', { skip }, () => {
  promtool('check', 'config', '--syntax-only', join(folder, 'prometheus.yml'));
  promtool('check', 'rules', join(folder, 'rules/red.yml'));
  promtool('test', 'rules', join(folder, 'tests/red.yml'));
});

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
