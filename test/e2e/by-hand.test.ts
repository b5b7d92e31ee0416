import assert from 'node:assert/strict';
import { chownSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { blocksOf, type TypedCommand, withOwn } from '../support/readme-commands.ts';
import { textOf } from '../support/tracked-files.ts';
import { eventually } from './cluster-view.ts';
import { demand, newPerson, type Person, start } from './support.ts';

/** Where the bare repositories of a server lie that answers as https://github.com, and a token that may read the images. */
const repositories = process.env.E2E_GITHUB_REPOSITORIES;
const token = process.env.E2E_GITHUB_TOKEN;
const missing = [...(repositories ? [] : ['E2E_GITHUB_REPOSITORIES']), ...(token ? [] : ['E2E_GITHUB_TOKEN'])];
const cluster = 'e2e-by-hand';
const ports = { http: 28780, https: 29083 };
const page = 'docs/by-hand.md';
const section = 'The manual, with kubectl alone';
const [manual, takeOver] = blocksOf(textOf(page)).filter((block) => block.section === section);
const { commands } = manual ?? assert.fail(section);

/** What a command shows once all is well, and for how many seconds it is typed again until it does. */
const shows: readonly { of: RegExp; what: (printed: string) => boolean; within: number }[] = [
  {
    of: /^kubectl get pods /,
    what: (printed) => rowsOf(printed).every(([, , state]) => state === 'Running') && rowsOf(printed).length > 4,
    within: 180,
  },
  {
    of: /^kubectl get applications /,
    what: (printed) =>
      rowsOf(printed)
        .map(([, ...state]) => `${state}`)
        .join(' ') === Array(3).fill('Synced,Healthy').join(' '),
    within: 240,
  },
  { of: /\/password$/, what: (printed) => /^\S{16,}$/.test(printed.trim()), within: 120 },
];

/** The cells of a table of kubectl's, without its heading. */
function rowsOf(printed: string): string[][] {
  const [, ...lines] = printed.trim().split('\n');
  return lines.map((line) => line.split(/\s+/));
}

interface Target {
  labels: { job: string; service?: string };
  health: string;
}

/** The manual's commands, as the page has them, on a cluster of their own. The images are private, and the stand-ins `up` builds. */
describe('the manual, typed by hand', { skip: missing.length > 0 && `not set: ${missing.join(', ')}` }, () => {
  const repoUrl = /repoURL: https:\/\/github\.com\/(\S+)/.exec(textOf('argocd/api-node.yaml'))?.[1] ?? assert.fail();
  const bare = join(repositories ?? '', repoUrl);
  const quietly = { cwd: '/', env: { PATH: process.env.PATH ?? '', HOME: '/' } };
  let person: Person;
  let stopped: string | undefined;

  const type = (text: string) => person.run(['bash', '-c', text]);
  const everything = async (...args: string[]) => (await demand(type(['kubectl', 'get', ...args].join(' ')))).stdout;

  before(async () => {
    person = await newPerson({ cluster, ports, env: { GITHUB_USER: 'octocat', GITHUB_TOKEN: token ?? '' } });
    const { uid, gid } = statSync(person.home);
    const own = join(person.home, '.kube');
    mkdirSync(own);
    chownSync(own, uid, gid);
    rmSync(bare, { recursive: true, force: true });
    const original = fileURLToPath(new URL('../..', import.meta.url));
    await demand(start(['git', 'clone', '--quiet', '--bare', '--no-hardlinks', original, bare], quietly));
    await demand(start(['git', '-C', bare, 'branch', '--force', 'main', 'HEAD'], quietly));
  });
  after(async () => {
    await person?.remove();
    if (repositories) rmSync(bare, { recursive: true, force: true });
  });

  /** A step that stands on those before it, so it is not tried once one of them failed. */
  const step = (name: string, work: (say: (text: string) => void) => Promise<void>) =>
    it(name, async (t) => {
      if (stopped !== undefined) return t.skip(`after ${stopped}`);
      stopped = name;
      const started = performance.now();
      await work((text) => t.diagnostic(text));
      t.diagnostic(`${((performance.now() - started) / 1000).toFixed(1)} s`);
      stopped = undefined;
    });

  for (const { text, line } of commands) step(`${page}:${line}: ${text}`, () => does(text));

  step('nothing of it is left with a finalizer, nor on its way out', async () => {
    assert.doesNotMatch(await everything('namespaces'), /argocd|observability|Terminating/);
    assert.doesNotMatch(
      await everything('deployments,services,ingresses', '--namespace=default'),
      /api-node|core-go|worker/,
    );
    assert.equal(await everything('applications,appprojects', '--all-namespaces', '--output=name'), '');
  });

  step('up refuses the cluster, and names the way that is typed below', async () => {
    const ran = await person.npm('up');
    assert.equal(ran.code, 2, ran.text);
    assert.match(ran.stderr, /The cluster e2e-by-hand was not made by platform-ops\./);
    assert.match(
      ran.stderr,
      /with TARGET_CONTEXT=kind-e2e-by-hand .*; or delete it .*; or choose another CLUSTER_NAME/,
    );
  });

  for (const { text, line } of commands.filter(({ text: typed }) => /^kubectl (create namespace|apply) /.test(typed)))
    step(`once more, ${page}:${line}: ${text}`, () => does(text));

  const mine = { env: { TARGET_CONTEXT: `kind-${cluster}` } };
  for (const { text, line } of takeOver?.commands ?? assert.fail('no take-over')) {
    step('what looks after something of others, too, is not taken over', async () => {
      const project = `sed 's/name: platform/name: theirs/' argocd/project.yaml`;
      await demand(type(`${project} | kubectl create -f -`));
      const ran = await type(withOwn(text, { cluster, https: ports.https }));
      await demand(type(`${project} | kubectl delete -f -`));
      assert.equal(ran.code, 2, ran.text);
      assert.match(ran.stderr, /There is an Argo CD in the cluster .* that platform-ops did not install/);
    });

    step(`${page}:${line}: ${text}`, async () => {
      const { text: said } = await demand(type(withOwn(text, { cluster, https: ports.https })));
      for (const source of ['Argo CD', 'argocd/', 'cluster/metrics-server.yaml', 'ingress/ingress-nginx.yaml'])
        assert.match(said, new RegExp(`  ${source} \\(\\d+\\): \\w+ `), said);
      assert.match(said, /observability\/grafana\/ .*Deployment observability\/grafana[\s\S]*The platform is up/);
    });
  }

  step('all is well, and a second up changes nothing', async () => {
    // The pods of before, with production's values, end meanwhile.
    const isWell = async () => /All is well\./.test((await person.run(['npm', 'run', '-s', 'status'], mine)).stdout);
    await eventually('all is well', 120, isWell);
    const ran = await demand(person.run(['npm', 'run', '-s', 'up', '--', '--json'], mine));
    assert.deepEqual((JSON.parse(ran.stdout) as { changed: string[] }).changed, []);
  });

  step('down removes what was taken over with the rest, and leaves the cluster and the token', async () => {
    const listed = await demand(person.run(['npm', 'run', '-s', 'down', '--', '--dry-run'], mine));
    assert.match(listed.stdout, /^ {2}APIService v1beta1\.metrics\.k8s\.io$[\s\S]*^ {2}Namespace argocd$/m);
    const ran = await demand(person.run(['npm', 'run', '-s', 'down', '--', '--yes'], mine));
    assert.match(ran.stdout, /0 left\. What was taken over is gone; the cluster stays\./);
    assert.doesNotMatch(await everything('namespaces'), /argocd|observability|ingress-nginx|platform-ops|Terminating/);
    const wide = 'crds,clusterroles,clusterrolebindings,apiservices,ingressclasses,validatingwebhookconfigurations';
    assert.doesNotMatch(await everything(wide), /argo|prometheus|nginx|metrics-server|metrics\.k8s/);
    assert.match(await everything('secrets', '--namespace=default'), /ghcr-cred/);
    assert.doesNotMatch(await everything('all', '--namespace=default'), /api-node|core-go|worker/);
  });

  /** Types a command, an `apply` twice, until it shows what it is to show. */
  async function does(typed: TypedCommand['text']): Promise<void> {
    const own = withOwn(typed, { cluster, https: ports.https });
    if (typed.startsWith('kind create ')) {
      const node = person.env.KIND_NODE_IMAGE;
      await demand(type(node === undefined ? own : `${own} --image "${node}"`));
      return;
    }
    if (typed.includes(' port-forward ')) return serviceTargetsAreUp(own);
    const wanted = shows.find(({ of }) => of.test(typed));
    if (wanted) {
      let last = '';
      const look = async () => {
        const ran = await type(own);
        last = ran.text;
        return ran.code === 0 && wanted.what(ran.stdout);
      };
      await eventually(own, wanted.within, look).catch((error: Error) => assert.fail(`${error.message}\n${last}`));
      return;
    }
    await demand(type(own));
    if (typed.startsWith('kubectl apply ')) await demand(type(own));
  }

  /** While the command runs, Prometheus says under the address of the page that it reads each service. */
  async function serviceTargetsAreUp(typed: string): Promise<void> {
    const services = ['api-node', 'core-go', 'worker-python'];
    const command = typed.replace(' 9090:', ` ${ports.http}:`);
    let last = '';
    await eventually('the services are UP', 150, async () => {
      const started: number[] = [];
      const forwarding = person.run(['timeout', '30', 'bash', '-c', `exec ${command}`], {
        watch: (pid) => started.push(pid),
      });
      const answer = await eventually('an answer', 15, async () => {
        const asked = await fetch(`http://127.0.0.1:${ports.http}/api/v1/targets?state=active`).catch(() => undefined);
        return asked?.ok && ((await asked.json()) as { data: { activeTargets: Target[] } });
      }).catch(() => undefined);
      if (answer) process.kill(started[0] ?? assert.fail('not started'), 'SIGTERM');
      last = (await forwarding).text;
      const ofServices = (answer?.data.activeTargets ?? []).filter(({ labels }) => services.includes(labels.job));
      last += JSON.stringify(ofServices.map(({ labels, health }) => [labels, health]));
      return (
        services.every((name) => ofServices.some(({ labels }) => labels.job === name)) &&
        ofServices.every(({ health }) => health === 'up')
      );
    }).catch((error: Error) => assert.fail(`${error.message}\n${last}`));
  }
});
