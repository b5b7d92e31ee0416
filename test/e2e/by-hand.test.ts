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
const { commands } = blocksOf(textOf(page)).find((block) => block.section === section) ?? assert.fail(section);

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
