import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { reportIn } from '../support/status-schema.ts';
import { eventually, viewOf } from './cluster-view.ts';
import { spreadLogin } from './plugin-login.ts';
import { demand, newPerson, type Person, start } from './support.ts';
import { ask } from './traffic.ts';

/** Where the bare repositories of a server lie that answers as https://github.com, and a token that may read the images. */
const repositories = process.env.E2E_GITHUB_REPOSITORIES;
const token = process.env.E2E_GITHUB_TOKEN;
const missing = [...(repositories ? [] : ['E2E_GITHUB_REPOSITORIES']), ...(token ? [] : ['E2E_GITHUB_TOKEN'])];
const owner = `e2e-${randomUUID().slice(0, 8)}`;
const url = `https://github.com/${owner}/ops.git`;
const foreign = 'e2e-target-context';
const target = `kind-${foreign}`;
const ports = { http: 28680, https: 28983 };
/** What comes and goes by itself in any cluster. */
const passing = /^(events|leases|endpoints)|\.metrics\.k8s\.io$/;

/** A cluster that somebody made with kind alone, in which everything else is brought, used, and taken away again. */
describe('a cluster that TARGET_CONTEXT names', {
  skip: missing.length > 0 && `not set: ${missing.join(', ')}`,
}, () => {
  const bare = join(repositories ?? '', owner, 'ops.git');
  const quietly = { cwd: '/', env: { PATH: process.env.PATH ?? '', HOME: '/' } };
  let person: Person;
  let kubeconfig: string;
  /** What the person's own kubeconfigs are, by file. */
  let untouched: Map<string, string>;
  let objects: string[];

  const npm = (name: string, ...args: string[]) => person.npm(name, ...args);
  const kubectl = (...args: string[]) => start(['kubectl', '--kubeconfig', kubeconfig, ...args], quietly);
  /** Every object of the cluster, by kind, names and uid. */
  const everything = async () => {
    const kinds = (await demand(kubectl('api-resources', '--verbs=list,delete', '--output=name'))).stdout.trim();
    const names = kinds.split('\n').filter((name) => !passing.test(name));
    const columns = 'custom-columns=K:.kind,S:.metadata.namespace,N:.metadata.name,U:.metadata.uid';
    const got = await demand(
      kubectl('get', names.join(','), '--all-namespaces', '--no-headers', `--output=${columns}`),
    );
    return got.stdout.trim().split('\n').sort();
  };
  /** The objects, once the controllers of a new cluster have created all of theirs: a while after its node is Ready. */
  const settled = async () => {
    await demand(kubectl('rollout', 'status', 'deployment/coredns', '--namespace=kube-system', '--timeout=120s'));
    const pods = ['wait', '--for=condition=Ready', 'pods', '--all', '--all-namespaces', '--timeout=120s'];
    await demand(kubectl(...pods));
    let before: string[] = [];
    return eventually('the controllers have created their objects', 120, async () => {
      const now = await everything();
      const namespaces = now.flatMap((line) => /^Namespace +<none> +(\S+)/.exec(line)?.[1] ?? []);
      const has = (kind: string, name: string, namespace: string) =>
        now.some((line) => new RegExp(`^${kind} +${namespace} +${name} `).test(line));
      const furnished = namespaces.every(
        (one) => has('ServiceAccount', 'default', one) && has('ConfigMap', 'kube-root-ca\\.crt', one),
      );
      const calm = now.join() === before.join();
      before = now;
      return furnished && calm && now;
    });
  };
  const isUntouched = () => {
    for (const [file, text] of untouched) assert.equal(readFileSync(file, 'utf8'), text);
  };

  before(async () => {
    const env = { TARGET_CONTEXT: target, GITOPS_REPO_URL: url };
    person = await newPerson({ cluster: foreign, ports, env });
    const { uid, gid } = statSync(person.home);
    const own = join(person.home, '.kube');
    mkdirSync(own);
    kubeconfig = join(own, 'of-kind');
    const node = person.env.KIND_NODE_IMAGE === undefined ? [] : ['--image', person.env.KIND_NODE_IMAGE];
    const create = ['kind', 'create', 'cluster', '--name', foreign, '--kubeconfig', kubeconfig, ...node] as const;
    const original = fileURLToPath(new URL('../..', import.meta.url));
    await Promise.all([
      demand(start([...create, '--wait', '120s'], quietly)),
      demand(start(['git', 'clone', '--quiet', '--bare', '--no-hardlinks', original, bare], quietly)),
    ]);
    await demand(start(['git', '-C', bare, 'branch', '--force', 'main', 'HEAD'], quietly));
    await demand(kubectl('create', 'configmap', 'somebodys', '--from-literal=a=b'));
    const files = spreadLogin(kubeconfig, own);
    chownSync(own, uid, gid);
    for (const name of readdirSync(own, { recursive: true })) chownSync(join(own, `${name}`), uid, gid);
    person.env.KUBECONFIG = files.join(':');
    untouched = new Map(files.map((file) => [file, readFileSync(file, 'utf8')]));
    objects = await settled();
  });
  after(async () => {
    await person?.remove();
    if (repositories) rmSync(join(repositories, owner), { recursive: true, force: true });
  });

  for (const [what, env, said] of [
    ['no repository that the cluster reaches', { GITOPS_REPO_URL: '' }, /needs GITOPS_REPO_URL/],
    [
      'a context that is not there',
      { TARGET_CONTEXT: 'nobody' },
      /The context nobody .* can't be taken from [\s\S]*There are: kind-/,
    ],
    ['no token', { GHCR_CREDENTIALS: 'none' }, /can't pull ghcr\.io\/\S+ without a token/],
    ['nobody who says that it is meant', { GITHUB_TOKEN: token ?? '' }, /needs confirmation[\s\S]*up -- --yes/],
  ] as [string, Record<string, string>, RegExp][]) {
    it(`is left alone with ${what}`, async () => {
      const ran = await person.run(['npm', 'run', '--silent', 'up'], { env });
      assert.equal(ran.code, 2, ran.text);
      assert.match(ran.stderr, said);
    });
  }

  it('is left alone where it has an object of the same name as one of the platform', async () => {
    await demand(kubectl('create', 'namespace', 'observability'));
    const ran = await npm('up', '--yes');
    await demand(kubectl('delete', 'namespace', 'observability'));
    assert.equal(ran.code, 2, ran.text);
    assert.match(ran.stderr, /are not its own: Namespace observability/);
    assert.deepEqual(await everything(), objects);
  });

  it('gets everything, under its own name, and the person’s kubeconfig is only read', async () => {
    writeFileSync(join(person.clone, '.env'), `GITHUB_TOKEN=${token}\n`, { mode: 0o600 });
    const { uid, gid } = statSync(person.clone);
    chownSync(join(person.clone, '.env'), uid, gid);
    const ran = await demand(npm('up', '--yes'));
    assert.match(
      ran.stderr,
      new RegExp(`to be applied to the cluster of the context ${target} \\(https://127\\.0\\.0\\.1:`),
    );
    assert.match(ran.stdout, /They answer while this runs: npm run port-forward -- ingress/);
    const state = join(person.clone, '.state', `target.${target}`);
    assert.equal(statSync(join(state, 'kubeconfig')).mode & 0o777, 0o600);
    // By kubectl and by the platform itself, which both run the program of the person's own folder.
    assert.match(readFileSync(join(person.home, '.kube/login/bin/asked'), 'utf8'), /"interactive":false/);
    for (const { name, sync, health } of await viewOf(person, `target.${target}`).applications())
      assert.equal(`${name} ${sync} ${health}`, `${name} Synced Healthy`);
    isUntouched();
  });

  it('is well by status, and a second up asks nobody and changes nothing', async () => {
    const report = reportIn((await demand(npm('status', '--json'))).stdout);
    assert.equal(report.ok, true);
    assert(report.urls.every(({ through }) => through === 'npm run port-forward -- ingress'));
    const { changed } = JSON.parse((await demand(npm('up', '--json'))).stdout) as { changed: string[] };
    assert.deepEqual(changed, []);
  });

  it('answers under the usual addresses while its ingress is forwarded', async () => {
    const ca = readFileSync(join(person.home, '.local/share/platform-ops/ca/ca.crt'), 'utf8');
    const forwarding = new AbortController();
    let answered: string | undefined;
    const ran = await person.run(['timeout', '20', 'npm', 'run', '--silent', 'port-forward', '--', 'ingress'], {
      watch: (pid, text) => {
        if (!/leads to the pod/.test(text) || forwarding.signal.aborted) return;
        forwarding.abort();
        void ask({ port: ports.https, host: 'api.localhost', ca }, '/info')
          .then(({ status, body }) => {
            answered = `${status} ${body}`;
          })
          .finally(() => process.kill(pid, 'SIGTERM'));
      },
    });
    assert.match(answered ?? ran.text, /^200 .*"service":"core-go"/);
  });

  it('is neither stopped nor made anew, and its nodes are not drained', async () => {
    for (const args of [
      ['stop'],
      ['reset', '--cluster', '--yes'],
      ['drill', '--only', 'node-drain', '--yes'],
    ] as const) {
      const ran = await npm(...(args as unknown as [string, ...string[]]));
      assert.equal(ran.code, 2, ran.text);
      assert.match(ran.stderr, /is not for the cluster of the context/);
    }
  });

  it('is after down what it was before, object for object, and so is this machine', async () => {
    const refused = await npm('down');
    assert.equal(refused.code, 2, refused.text);
    assert.match((await demand(npm('down', '--yes'))).stdout, /0 left\. The cluster itself is as it was\./);
    assert.deepEqual(await everything(), objects);
    assert.equal(existsSync(join(person.clone, '.state', `target.${target}`)), false);
    isUntouched();
  });
});
