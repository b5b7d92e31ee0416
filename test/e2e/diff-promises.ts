import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DiffReport } from '../../scripts/delivery/diff/report.ts';
import { demand, type Person, type SharedPlatform } from './support.ts';

/** One working tree, edited step by step, and looked at before each commit. */
export function diffPromises({ cluster, begin }: SharedPlatform): void {
  let person: Person;
  before(async () => {
    person = await begin();
  });

  const kubectl = async (...args: string[]) =>
    (await demand(person.run(['kubectl', '--kubeconfig', `.state/${cluster}/kubeconfig`, ...args]))).stdout;
  const edit = (file: string, change: (text: string) => string) => {
    const path = join(person.clone, file);
    writeFileSync(path, change(readFileSync(path, 'utf8')));
  };
  /** The differences, as a program reads them; the exit code has to be the given one. */
  const differences = async (code: number, ...args: string[]) => {
    const ran = await person.npm('diff', '--json', ...args);
    assert.equal(ran.code, code, ran.text);
    return JSON.parse(ran.stdout) as DiffReport;
  };
  const changesOf = ({ applications }: DiffReport, name: string) =>
    applications
      .find((application) => application.name === name)
      ?.changes.map(({ action, kind, namespace }) => `${action} ${kind} ${namespace}`) ?? assert.fail(name);
  /** What a change would move: the version of what has no status, the generation of what has one, else what is wanted. */
  const state = async () => {
    const field = (kinds: string, path: string) =>
      kubectl('get', kinds, '-A', '-o', `jsonpath={range .items[*]}{.metadata.uid} {${path}}{"\\n"}{end}`);
    const parts = await Promise.all([
      field('configmaps,services,serviceaccounts,networkpolicies,secrets', '.metadata.resourceVersion'),
      field('deployments,poddisruptionbudgets,horizontalpodautoscalers,ingresses,crd', '.metadata.generation'),
      field('applications.argoproj.io,appprojects.argoproj.io', '.spec'),
    ]);
    return parts.join('');
  };
  const leftInPod = async () => {
    const pod = ['-n', 'argocd', 'deployment/argocd-repo-server', '-c', 'argocd-repo-server'];
    return (await kubectl('exec', ...pod, '--', 'ls', '-A', '/tmp'))
      .split('\n')
      .filter((name) => /platform-ops/.test(name));
  };

  it('is nothing right after up: no default, no status and no stamp shows', async (test) => {
    const before = await state();
    const ran = await demand(person.npm('diff'));
    test.diagnostic(`a diff of everything took ${ran.seconds.toFixed(1)} s`);
    assert.match(ran.stdout, /Application core-go: nothing would change/);
    assert.match(ran.stdout, /^Nothing would change\.$/m);
    const { applications, up, ...verdict } = await differences(0);
    assert.deepEqual([verdict.differs, verdict.complete, up], [false, true, []]);
    assert.deepEqual(
      applications.map(({ name, notes }) => [name, notes]),
      ['api-node', 'core-go', 'worker-python'].map((name) => [name, []]),
    );
    assert.equal(await state(), before);
  });

  it('shows a variable, what that restarts, an object that goes and one that comes', async () => {
    const before = await state();
    edit('helm/core-go/values-dev.yaml', (text) => text.replace(/ENV: \S+/, 'ENV: uncommitted'));
    edit('helm/worker-python/values-dev.yaml', (text) => `${text}podDisruptionBudget:\n  enabled: false\n`);
    writeFileSync(
      join(person.clone, 'helm/worker-python/templates/more.yaml'),
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: more\ndata:\n  a: b\n',
    );
    const report = await differences(1);
    assert.deepEqual(changesOf(report, 'api-node'), []);
    assert.deepEqual(changesOf(report, 'core-go'), ['change ConfigMap default', 'change Deployment default']);
    assert.deepEqual(changesOf(report, 'worker-python'), [
      'create ConfigMap default',
      'prune PodDisruptionBudget default',
    ]);
    const [config, deployment] = report.applications.find(({ name }) => name === 'core-go')?.changes ?? [];
    assert.deepEqual(
      config?.diff?.split('\n').filter((line) => /^[+-]/.test(line)),
      ['-  ENV: dev', '+  ENV: uncommitted'],
    );
    assert.deepEqual(deployment?.restart, { pods: 1, reasons: ['its configuration (checksum/config)'] });
    assert.deepEqual(report.up, []);
    assert.deepEqual(changesOf(await differences(1, '--app', 'core-go'), 'core-go').length, 2);
    assert.equal((await person.npm('diff', '--app', 'api-node')).code, 0);
    assert.equal(await state(), before);
  });

  it('is coloured on a terminal, unless NO_COLOR says otherwise', async () => {
    const coloured = await person.runOnTerminal('npm run --silent diff -- --app core-go');
    assert.ok(coloured.text.includes('\u001b[32m+  ENV: uncommitted'), coloured.text);
    const plain = await person.runOnTerminal('NO_COLOR=1 npm run --silent diff -- --app core-go');
    assert.ok(plain.text.includes('+  ENV: uncommitted') && !plain.text.includes('\u001b['), plain.text);
  });

  it('leaves nothing in the pod that renders, also where somebody interrupts it', async () => {
    for (const seconds of ['0.8', '1.2', '1.6']) {
      const { code } = await person.run(['timeout', '-s', 'INT', seconds, 'npm', 'run', '--silent', 'diff']);
      assert.ok(code !== 0);
    }
    const deadline = Date.now() + 20_000;
    while ((await leftInPod()).length > 0) {
      assert.ok(Date.now() < deadline, (await leftInPod()).join());
      await sleep(500);
    }
  });

  it('shows what the next up would change, apart from what a commit would', async () => {
    edit('observability/prometheus/config/prometheus.yml', (text) =>
      text.replace(/scrape_interval: \S+/, 'scrape_interval: 7s'),
    );
    await demand(person.npm('validate', 'files', '--fix'));
    edit('argocd/core-go.yaml', (text) => text.replace('revisionHistoryLimit: 5', 'revisionHistoryLimit: 6'));
    const { up } = await differences(1);
    const changed = up.flatMap(({ component, changes }) => changes.map(({ kind, name }) => [component, kind, name]));
    assert.deepEqual(changed.sort(), [
      ['applications', 'Application', 'core-go'],
      // Which Prometheus follows while it runs; by the checksum it tells which of them it has read.
      ['prometheus', 'ConfigMap', 'prometheus-config'],
      ['prometheus', 'ConfigMap', 'prometheus-rules-checksum'],
    ]);
    await demand(person.run(['git', 'checkout', '--quiet', '--', 'observability', 'argocd']));
  });

  it('says what would be refused, and shows the rest', async () => {
    const host =
      'ingress:\n  enabled: true\n  hosts: [{ host: api.localhost, paths: [{ path: /, pathType: Prefix }] }]\n';
    edit('helm/core-go/values-dev.yaml', (text) => text + host);
    const report = await differences(2);
    const core = report.applications.find(({ name }) => name === 'core-go');
    assert.match(core?.refused[0]?.reason ?? '', /already defined in ingress default\/api-node/);
    assert.ok(changesOf(report, 'core-go').includes('change Deployment default'));
    edit('helm/core-go/values-dev.yaml', (text) => text.replace(host, ''));
  });

  it('says with file and line why a chart can not be rendered, and shows the others', async () => {
    const broken = join(person.clone, 'helm/core-go/templates/broken.yaml');
    writeFileSync(broken, 'a: b\n{{ if }}\n');
    const ran = await person.npm('diff');
    assert.equal(ran.code, 2, ran.text);
    assert.match(
      ran.stdout,
      /✖ core-go can't be rendered: helm\/core-go\/templates\/broken\.yaml:2: .*missing value for if/,
    );
    assert.match(ran.stdout, /- PodDisruptionBudget default\/worker-python would be pruned/);
    rmSync(broken);
  });

  it('is nothing again once that is committed and synced', async () => {
    await demand(person.run(['git', 'add', '--all']));
    await demand(person.run(['git', 'commit', '--quiet', '--message', 'Change what diff showed']));
    await demand(person.npm('up'));
    await demand(person.npm('diff'));
    assert.doesNotMatch(await kubectl('get', 'poddisruptionbudgets', '-n', 'default', '-o', 'name'), /worker-python/);
    assert.deepEqual(await leftInPod(), []);
  });

  it('says in a sentence that there is no cluster', async () => {
    const ran = await person.run(['npm', 'run', '--silent', 'diff'], { env: { CLUSTER_NAME: 'e2e-nowhere' } });
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, /There is no cluster e2e-nowhere to compare with\./);
    assert.equal(ran.stdout, '');
  });
}
