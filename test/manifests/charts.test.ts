import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { before, describe, test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { at, attempt, environments, find, type Manifest, needsHelm, render, root, services } from '../support/helm.ts';

interface Facts {
  port: number;
  portName: string;
  variable: string;
  probe: string;
  exposed: boolean;
}

const facts: Record<string, Facts> = {
  'api-node': { port: 3000, portName: 'http', variable: 'PORT', probe: '/health', exposed: true },
  'core-go': { port: 8080, portName: 'http', variable: 'PORT', probe: '/health', exposed: false },
  'worker-python': { port: 9000, portName: 'metrics', variable: 'METRICS_PORT', probe: '/metrics', exposed: false },
};
/** Of a service that npm run new-service made, what the values say of it. */
function factsOf(service: string): Facts {
  const values = yaml('helm', service, 'values.yaml');
  const [port, portName, variable, probe] = ['port', 'portName', 'portVariable', 'healthPath'].map((key) =>
    at(values, 'container', key),
  );
  return facts[service] ?? ({ port, portName, variable, probe, exposed: at(values, 'ingress', 'enabled') } as Facts);
}

const kinds =
  'ConfigMap Deployment HorizontalPodAutoscaler NetworkPolicy PodDisruptionBudget Service ServiceAccount'.split(' ');
const container = ['spec', 'template', 'spec', 'containers', 0] as const;
const sealed = ['--set', 'sealedSecret.enabled=true,sealedSecret.encryptedData.TOKEN=AgB'];

const text = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8');
const yaml = (...path: string[]): unknown => parse(text(...path));
/** CI changes the image with every promotion, so the tests read which one it is. */
const imageOf = (service: string): { repository: string; tag: string } =>
  at(yaml('helm', service, 'values.yaml'), 'image') as { repository: string; tag: string };
const count = (haystack: string, needle: string): number => haystack.split(needle).length - 1;

/** Path and value of everything that isn't a map. */
function leaves(value: unknown, path: string[] = []): { path: string[]; value: unknown }[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [{ path, value }];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]));
}

/** Lines that set a value with no `# --` comment above them, nor above the key that they stand under. */
function unexplained(file: string): string[] {
  const missing: string[] = [];
  let explained = false;
  let covered = Number.POSITIVE_INFINITY;
  for (const line of file.split('\n').filter((each) => each.trim() !== '')) {
    const indent = line.search(/\S/);
    if (line.trimStart().startsWith('#')) {
      explained ||= line.includes('# -- ');
      continue;
    }
    if (indent <= covered) {
      covered = explained ? indent : Number.POSITIVE_INFINITY;
      if (!explained && !line.endsWith(':')) missing.push(line);
    }
    explained = false;
  }
  return missing;
}

describe('chart files', () => {
  for (const service of services) {
    test(`${service}: CI's sed finds its two lines and no other`, () => {
      for (const word of ['repository:', 'tag:']) {
        assert.equal(count(text('helm', service, 'values.yaml'), word), 1, `"${word}" in values.yaml`);
        for (const name of environments) assert.equal(count(text('helm', service, `values-${name}.yaml`), word), 0);
      }
    });

    test(`${service}: every value is explained`, () => {
      for (const file of ['values.yaml', 'values-dev.yaml', 'values-prod.yaml']) {
        assert.deepEqual(unexplained(text('helm', service, file)), [], file);
      }
    });

    test(`${service}: an overlay states differences only`, () => {
      const base = yaml('helm', service, 'values.yaml');
      for (const name of environments) {
        for (const { path, value } of leaves(yaml('helm', service, `values-${name}.yaml`))) {
          assert.notDeepEqual(value, at(base, ...path), `values-${name}.yaml repeats ${path.join('.')}`);
        }
      }
    });

    test(`${service}: what it shares is linked, within the repository`, () => {
      for (const link of ['charts/common', 'values.schema.json']) {
        const path = join(root, 'helm', service, link);
        assert.equal(isAbsolute(readlinkSync(path)), false, link);
        assert.ok(realpathSync(path).startsWith(realpathSync(join(root, 'helm', 'common'))), link);
      }
    });
  }

  test('no Secret is in Git', () => {
    for (const folder of ['argocd', 'cluster', 'helm', 'ingress', 'observability']) {
      for (const file of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
        if (/\.(ya?ml|tpl)$/.test(file)) assert.doesNotMatch(text(folder, file), /^\s*kind: *["']?Secret\b/m, file);
      }
    }
  });
});

describe('Argo CD', () => {
  const project = yaml('argocd', 'project.yaml');

  test('one object a file, in the namespace of Argo CD', () => {
    for (const file of readdirSync(join(root, 'argocd'))) {
      const documents = parseAllDocuments(text('argocd', file));
      assert.equal(documents.length, 1, file);
      assert.equal(at(documents[0]?.toJS(), 'metadata', 'namespace'), 'argocd', file);
    }
  });

  for (const service of services) {
    test(`${service}: its Application points to what exists, within its project`, () => {
      const application = yaml('argocd', `${service}.yaml`);
      const source = at(application, 'spec', 'source');
      assert.equal(at(application, 'metadata', 'name'), service);
      assert.deepEqual(at(application, 'metadata', 'finalizers'), ['resources-finalizer.argocd.argoproj.io']);
      assert.equal(at(source, 'path'), `helm/${service}`);
      assert.equal(at(source, 'helm', 'releaseName'), service);
      assert.deepEqual(at(source, 'helm', 'valueFiles'), ['values.yaml', 'values-prod.yaml']);
      assert.deepEqual(at(application, 'spec', 'syncPolicy', 'automated'), { prune: true, selfHeal: true });
      assert.equal(at(application, 'spec', 'project'), at(project, 'metadata', 'name'));
      assert.deepEqual([at(source, 'repoURL')], at(project, 'spec', 'sourceRepos'));
      assert.deepEqual([at(application, 'spec', 'destination')], at(project, 'spec', 'destinations'));
    });

    test(`${service}: the project permits every kind that the chart can render`, needsHelm, async () => {
      const options = [...sealed, '--set', 'serviceMonitor.enabled=true'];
      const permitted = at(project, 'spec', 'namespaceResourceWhitelist');
      assert.ok(Array.isArray(permitted));
      const names = new Set(permitted.map((each) => `${at(each, 'group')}/${at(each, 'kind')}`));
      for (const { apiVersion, kind } of await render(service, { options })) {
        const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : '';
        assert.ok(names.has(`${group}/${kind}`), `${group}/${kind}`);
      }
    });
  }
});

describe('rendered charts', needsHelm, () => {
  for (const service of services) {
    const { port, portName, variable, probe, exposed } = factsOf(service);
    const { repository, tag } = imageOf(service);

    for (const environment of environments) {
      describe(`${service} (${environment})`, () => {
        const overlay = yaml('helm', service, `values-${environment}.yaml`);
        let manifests: readonly Manifest[] = [];
        before(async () => {
          manifests = await render(service, { environment });
        });

        test('objects, names and labels', () => {
          assert.deepEqual(
            manifests.map(({ kind }) => kind).sort(),
            [...kinds, 'Pod', ...(exposed ? ['Ingress'] : [])].sort(),
          );
          for (const { kind, metadata } of manifests.filter(({ kind }) => kind !== 'Pod')) {
            assert.equal(metadata.name, service, kind);
            assert.equal(metadata.labels['app.kubernetes.io/name'], service, kind);
            assert.equal(metadata.labels['app.kubernetes.io/part-of'], 'platform', kind);
            assert.equal(metadata.labels['app.kubernetes.io/version'], tag, kind);
          }
        });

        test('the pod is restricted, found and configured', () => {
          const deployment = find(manifests, 'Deployment');
          const pod = at(deployment, 'spec', 'template', 'spec');
          const program = at(deployment, ...container);

          assert.equal(at(deployment, 'spec', 'replicas'), undefined, 'the HPA owns replicas');
          assert.equal(at(pod, 'containers', 1), undefined);
          assert.equal(at(program, 'name'), service);
          assert.equal(at(program, 'image'), `${repository}:${tag}`);
          assert.deepEqual(at(program, 'ports'), [{ name: portName, containerPort: port, protocol: 'TCP' }]);
          for (const each of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
            assert.deepEqual(at(program, each, 'httpGet'), { path: probe, port: portName }, each);
          }
          assert.equal(at(pod, 'automountServiceAccountToken'), false);
          assert.deepEqual(at(pod, 'imagePullSecrets'), [{ name: 'ghcr-cred' }]);
          assert.deepEqual(at(pod, 'securityContext'), {
            runAsNonRoot: true,
            runAsUser: 65532,
            runAsGroup: 65532,
            seccompProfile: { type: 'RuntimeDefault' },
          });
          assert.deepEqual(at(program, 'securityContext'), {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          });
          assert.equal(at(find(manifests, 'ConfigMap'), 'data', variable), String(port));
          assert.equal(at(find(manifests, 'ConfigMap'), 'data', 'ENV'), at(overlay, 'env', 'ENV'));

          const selector = { 'app.kubernetes.io/name': service, 'app.kubernetes.io/instance': service };
          assert.deepEqual(at(deployment, 'spec', 'selector', 'matchLabels'), selector);
          assert.deepEqual(at(find(manifests, 'Service'), 'spec', 'selector'), selector);
          assert.deepEqual(at(find(manifests, 'PodDisruptionBudget'), 'spec', 'selector', 'matchLabels'), selector);
          assert.deepEqual(at(deployment, 'spec', 'template', 'metadata', 'labels'), {
            ...selector,
            'app.kubernetes.io/part-of': 'platform',
            'app.kubernetes.io/version': tag,
          });
        });

        test('the pod drains, and is killed within five seconds after that: its program may ignore SIGTERM', () => {
          const deployment = find(manifests, 'Deployment');
          const drain = Number(at(deployment, ...container, 'lifecycle', 'preStop', 'sleep', 'seconds'));
          const rest = Number(at(deployment, 'spec', 'template', 'spec', 'terminationGracePeriodSeconds')) - drain;
          assert.ok(drain >= 1, `${drain} s of drain`);
          // Less than two the kubelet does not give, and the kill takes it one to three on a busy machine.
          assert.equal(rest, 2, `${rest} s after the drain`);
        });
      });
    }

    test(`${service}: replicas are stated when no HPA decides them`, async () => {
      const manifests = await render(service, { options: ['--set', 'autoscaling.enabled=false'] });
      assert.equal(at(find(manifests, 'Deployment'), 'spec', 'replicas'), 3);
      assert.equal(find(manifests, 'HorizontalPodAutoscaler'), undefined);
    });

    test(`${service}: a changed variable changes the pod template, and a sealed secret reaches the pod`, async () => {
      const [before, after] = await Promise.all([
        render(service),
        render(service, { options: [...sealed, '--set', 'env.ENV=other'] }),
      ]);
      const annotations = ['spec', 'template', 'metadata', 'annotations'];
      const checksum = [...annotations, 'checksum/config'];
      assert.match(String(at(find(after, 'Deployment'), ...checksum)), /^[0-9a-f]{64}$/);
      assert.notEqual(at(find(before, 'Deployment'), ...checksum), at(find(after, 'Deployment'), ...checksum));
      assert.deepEqual(at(find(after, 'Deployment'), ...container, 'envFrom', 1), { secretRef: { name: service } });
      assert.deepEqual(at(find(after, 'SealedSecret'), 'spec', 'encryptedData'), { TOKEN: 'AgB' });
    });
  }

  test('the ingress leads to api-node, under each environment’s own host and with a certificate for it', async () => {
    const [dev, prod] = await Promise.all(environments.map((environment) => render('api-node', { environment })));
    assert.equal(at(find(dev ?? [], 'Ingress'), 'spec', 'rules', 0, 'host'), 'api.localhost');
    assert.deepEqual(at(find(dev ?? [], 'Ingress'), 'spec', 'tls', 0, 'hosts'), ['api.localhost']);
    assert.equal(at(find(prod ?? [], 'Ingress'), 'spec', 'rules', 0, 'host'), 'api.example.com');
    assert.deepEqual(at(find(prod ?? [], 'Ingress'), 'spec', 'tls', 0, 'hosts'), ['api.example.com']);
  });
});

describe('what a chart refuses', needsHelm, () => {
  // One chart stands for all: that they share templates and schema is tested above.
  const cases = [
    ['an unknown key', '--set', 'replicaCuont=2', /replicaCuont/],
    ['a text for a number', '--set-string', 'replicaCount=2', /replicaCount.*want integer/],
    ['a number for a variable', '--set', 'env.RETRIES=3', /RETRIES.*want string/],
    ['a port besides container.port', '--set-string', 'env.PORT=1', /env\/PORT/],
    ['a budget that blocks every drain', '--set', 'podDisruptionBudget.maxUnavailable=0', /maxUnavailable/],
    ['a sealed secret without content', '--set', 'sealedSecret.enabled=true', /encryptedData/],
    ['a minimum above the maximum', '--set', 'autoscaling.minReplicas=11', /minReplicas \(11\) is more than/],
    ['a drain as long as the grace period', '--set', 'shutdown.drainSeconds=40', /drainSeconds must be less/],
  ] as const;
  for (const [name, option, value, reason] of cases) {
    test(name, async () => {
      const { refusal } = await attempt('api-node', { options: [option, value] });
      assert.match(refusal ?? 'rendered', reason);
    });
  }

  test('an ingress of worker-python, which has no template for one', async () => {
    const { refusal } = await attempt('worker-python', { options: ['--set', 'ingress.enabled=true'] });
    assert.match(refusal ?? 'rendered', /ingress/);
  });

  for (const [tag, reason] of [
    ['1234567', /reads image\.tag as a number.*quotes/],
    ['', /image\.tag is empty/],
  ] as const) {
    test(`the tag "${tag}" even where the schema is skipped, in a sentence`, async () => {
      const options = ['--skip-schema-validation', '--set', `image.tag=${tag}`];
      assert.match((await attempt('api-node', { options })).refusal ?? 'rendered', reason);
    });
  }
});

describe('a promotion by CI', needsHelm, () => {
  // YAML reads some short SHAs as numbers. 12e4567 is too large for one: a parser may take it as text, which is right.
  const cases = [
    { tag: 'abc1234', outcome: 'renders' },
    { tag: '1234567', outcome: 'refused' },
    { tag: '12e4567', outcome: 'either' },
    { tag: '12e0045', outcome: 'refused' },
    { tag: '0b10101', outcome: 'refused' },
    { tag: '', outcome: 'refused' },
  ] as const;

  for (const { tag, outcome } of cases) {
    test(`"${tag}" without quotes: ${outcome === 'renders' ? 'that image' : 'never another image'}`, async (t) => {
      const charts = await mkdtemp(join(tmpdir(), 'charts-'));
      t.after(() => rm(charts, { recursive: true, force: true }));
      await cp(join(root, 'helm'), charts, { recursive: true, verbatimSymlinks: true });

      for (const service of services) {
        const file = join(charts, service, 'values.yaml');
        const promoted = (await readFile(file, 'utf8'))
          .replace(/repository:.*/g, `repository: ghcr.io/owner/${service}`)
          .replace(/tag:.*/g, `tag: ${tag}`);
        await writeFile(file, promoted);

        const { manifests, refusal } = await attempt(service, { charts, environment: 'prod' });
        if (outcome !== 'either') assert.equal(refusal === undefined, outcome === 'renders', refusal ?? 'rendered');
        if (manifests === undefined) assert.match(refusal, /image.*tag/s);
        else assert.equal(at(find(manifests, 'Deployment'), ...container, 'image'), `ghcr.io/owner/${service}:${tag}`);
      }
    });
  }
});
