import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { after, before, it } from 'node:test';
import { reportIn } from '../support/status-schema.ts';
import { keys } from '../support/terminal.ts';
import { inCampaign, isCampaign } from './campaign.ts';
import { formsOf, type Sampler, sampleProcesses } from './canary.ts';
import { demand, type Person, type Ran } from './support.ts';

const containerd = ['ctr', '--namespace=k8s.io', 'images'];
const services = ['api-node', 'core-go', 'worker-python'];
/** Tokens that may not read the images, by what has to be said of them. CI takes the first. */
const refused = Object.entries(JSON.parse(process.env.E2E_REFUSED_TOKENS ?? '{}') as Record<string, string>);
/** What the registry was asked: a line of JSON for each request. */
const log = process.env.E2E_REGISTRY_LOG;

interface Request {
  host: string;
  method: string;
  path: string;
  status: number;
  login: string;
}

/** Two tokens that may read the images. */
export interface Tokens {
  token: string;
  other: string;
}

/**
 * What becomes of a token, wherever it comes from; each step starts from what the one before it left. The platform may run
 * with one that is in the environment.
 */
export function credentialsPromises({ token, other }: Tokens, used: () => { person: Person; cluster: string }): void {
  let person: Person;
  let cluster: string;
  let sampler: Sampler;
  const user = { name: '' };
  const said: string[] = [];
  const heard = async <T extends { text: string } | { screen: string }>(running: Promise<T>) => {
    const ran = await running;
    said.push('text' in ran ? ran.text : ran.screen);
    return ran;
  };
  const npm = (name: string, ...args: string[]) => heard(person.npm(name, ...args));
  const kubectl = (...args: string[]) =>
    person.run(['kubectl', '--kubeconfig', join(person.clone, '.state', cluster, 'kubeconfig'), ...args]);
  const env = () => readFileSync(join(person.clone, '.env'), 'utf8');
  const status = async () => reportIn((await npm('status', '--json')).stdout);
  const images = async () => (await status()).applications.map(({ name, standIn }) => `${name} ${standIn}`).sort();
  const all = (standIn: boolean) => services.map((name) => `${name} ${standIn}`);
  /** What ghcr.io was asked about the services since the mark. */
  const mark = () => (log ? readFileSync(log, 'utf8').length : 0);
  const asked = (since: number): Request[] => {
    const lines = log ? readFileSync(log, 'utf8').slice(since).trim().split('\n') : [];
    const requests = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Request);
    // In the questions for a token, what names the image is encoded.
    const plain = requests.map((request) => ({ ...request, path: decodeURIComponent(request.path) }));
    return plain.filter(({ host, path }) => host === 'ghcr.io' && services.some((name) => path.includes(`/${name}`)));
  };

  before(async () => {
    ({ person, cluster } = used());
    delete person.env.GITHUB_TOKEN;
    // Only for a new cluster does up ask somebody at a terminal.
    await demand(isCampaign ? person.npm('down') : person.npm('credentials', '--remove'));
    sampler = sampleProcesses(formsOf(token, ''), `CLUSTER_NAME=${cluster}`);
  });
  after(() => sampler?.end());

  for (const [name, key] of [
    ['Ctrl-C', keys.interrupt],
    ['Ctrl-D', keys.end],
  ] as const) {
    it(`${name} at the question of up ends it before anything is made`, async () => {
      const elsewhere = 'CLUSTER_NAME=e2e-none HTTP_PORT=28099 HTTPS_PORT=28462';
      const ran = await heard(person.answer(`${elsewhere} npm run --silent up`, ['Token', key]));
      assert.deepEqual([ran.code, ran.restored], [130, true], ran.screen);
      assert.equal((await person.run(['docker', 'container', 'inspect', 'e2e-none-control-plane'])).code, 1);
    });
  }

  const first = isCampaign ? 'Enter brings the platform up' : 'up without a token leaves the platform';
  it(`${first} with stand-ins, and nobody asks the registry for the services`, async (t) => {
    const since = mark();
    const enter = ['Token', keys.enter] as const;
    const ran = isCampaign
      ? await heard(person.answer('npm run --silent up', enter, ['Go on', keys.enter]))
      : await npm('up');
    assert.equal(ran.code, 0);
    if ('screen' in ran) assert.match(ran.screen, /\(stand-in\)/);
    assert.deepEqual(await images(), all(true));
    assert.equal(existsSync(join(person.clone, '.env')), false);
    if (log) assert.deepEqual(asked(since), []);
    else t.diagnostic('E2E_REGISTRY_LOG is not set: what the registry was asked is not looked at');
  });

  it('without a terminal nobody is asked: there is no token, and it is said what to do', async () => {
    for (const env of [{}, { GITHUB_TOKEN: '' }]) {
      const ran = await heard(person.run(['npm', 'run', '--silent', 'credentials'], { env }));
      assert.equal(ran.code, 2, ran.text);
      assert.match(ran.stderr, /There is no token[\s\S]*→ .*scopes=read:packages/);
    }
  });

  for (const [says, bad] of [
    ...refused.slice(0, isCampaign ? undefined : 1),
    ['does not know this token', 'ghp_nobody'],
    ...(isCampaign ? [['blank or a line break inside', `${token.slice(0, 8)} ${token.slice(8, 12)}`]] : []),
  ] as [string, string][]) {
    it(`a token of which "${says}" holds is refused in each place, and not saved`, async () => {
      const run = person.run(['npm', 'run', '--silent', 'credentials'], { env: { GITHUB_TOKEN: bad } });
      const ran = await heard(run);
      assert.equal(ran.code, 2, ran.text);
      assert(ran.stderr.includes(says), ran.stderr);
      assert.match(ran.stderr, /\n {2}→ /);
      const typed = await heard(
        person.answer('npm run --silent credentials', ['Token', bad + keys.enter], [says, ''], ['Token', keys.end]),
      );
      assert.deepEqual([typed.code, typed.restored], [130, true], typed.screen);
      assert.equal(existsSync(join(person.clone, '.env')), false);
      writeFileSync(join(person.clone, '.env'), `GITHUB_TOKEN="${bad}"\n`);
      const up = await heard(person.npm('up').finally(() => person.run(['rm', '-f', '.env'])));
      assert.deepEqual([up.code, up.stderr.includes(says)], [2, true], up.text);
      for (const text of [ran.text, typed.screen, up.text]) assert(!text.includes(bad), text);
    });
  }

  it('a token that is pasted with quotes and line breaks is saved, and the real images take their places', async (t) => {
    const since = mark();
    const ran = await heard(
      person.answer(
        'umask 000; npm run --silent credentials',
        ['Token', `\n"${token}"\n`],
        ['Keep it', keys.down],
        ['for this run', keys.up],
        ['in .env', keys.enter],
      ),
    );
    assert.deepEqual([ran.code, ran.restored], [0, true], ran.screen);
    assert.match(ran.screen, /It works, and belongs to \w+/);
    user.name = ran.screen.match(/belongs to (\w+)/)?.[1] ?? '';
    assert.equal(statSync(join(person.clone, '.env')).mode & 0o777, 0o600);
    assert.equal(env(), example().replace('#GITHUB_TOKEN=', `GITHUB_TOKEN=${token}`));
    assert.equal((await person.run(['git', 'status', '--porcelain'])).stdout, '');
    assert.deepEqual(await images(), all(false));
    if (!log) return t.diagnostic('E2E_REGISTRY_LOG is not set: what the registry was asked is not looked at');
    // Of images that the node had before, it asks no more than what they are.
    const part = isCampaign ? 'blobs' : 'manifests';
    for (const name of services) {
      const requests = asked(since).filter(({ path }) => path.includes(`/${name}`));
      assert(
        requests.some(({ path, login }) => path.startsWith('/token') && login === user.name),
        name,
      );
      assert(
        requests.some(({ path, status }) => path.includes(`/${part}/`) && status < 300),
        `${name} was not pulled`,
      );
    }
  });

  it('status and doctor say whose token it is, and show its end alone', async () => {
    const shown = await npm('status');
    assert.match(
      shown.stdout,
      new RegExp(`GITHUB_TOKEN in \\.env: ${user.name}, with read:packages.* \\(…${token.slice(-4)}\\)`),
    );
    assert.match((await npm('doctor')).stdout, new RegExp(`✔ Images are pulled with .*${user.name}`));
    assert.equal((await status()).credentials.account?.login, user.name);
  });

  it('the token is in the pull secret, and in no other object of the cluster', async () => {
    const kinds = (await demand(kubectl('api-resources', '--verbs=list', '-o', 'name'))).stdout.trim().split('\n');
    const listed = await demand(
      kubectl('get', kinds.join(','), '--all-namespaces', '-o', 'json', '--show-managed-fields'),
    );
    const { items } = JSON.parse(listed.stdout) as { items: { kind: string; metadata: { name: string } }[] };
    assert(items.length > 100);
    const holders = items.filter((item) =>
      formsOf(token, user.name).some((form) => JSON.stringify(item).includes(form)),
    );
    assert.deepEqual(
      holders.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
      ['Secret ghcr-cred'],
    );
    assert(!JSON.stringify(holders[0]).includes('last-applied-configuration'));
  });

  it('up changes nothing then', async () => {
    assert.match((await heard(demand(person.npm('up')))).stdout, /nothing was changed/);
  });

  inCampaign('a pod that can not pull is recreated at once, as soon as the token is right again', async () => {
    const config = { auths: { 'ghcr.io': { auth: Buffer.from('nobody:ghp_nobody').toString('base64') } } };
    const data = { '.dockerconfigjson': Buffer.from(JSON.stringify(config)).toString('base64') };
    await demand(kubectl('patch', 'secret', 'ghcr-cred', '--type=merge', '-p', JSON.stringify({ data })));
    const image = (await status()).applications.find(({ name }) => name === 'core-go')?.image ?? '';
    await demand(person.run(['docker', 'exec', `${cluster}-control-plane`, ...containerd, 'remove', image]));
    await demand(kubectl('delete', 'pod', '-l', 'app.kubernetes.io/name=core-go', '--wait=false'));
    await untilIt(async () => (await kubectl('get', 'pods')).stdout.includes('ImagePullBackOff'));
    const ran = await npm('credentials');
    assert.equal(ran.code, 0, ran.text);
    assert.deepEqual(await images(), all(false));
  });

  it('another token takes the place of the first, in .env and in the cluster', async () => {
    const before = (await demand(kubectl('get', 'secret', 'ghcr-cred', '-o', 'json'))).stdout;
    const ran = await heard(
      person.run(['npm', 'run', '--silent', 'credentials', '--', '--keep', '--json'], { env: { GITHUB_TOKEN: other } }),
    );
    assert.equal(ran.code, 0, ran.text);
    assert.deepEqual((JSON.parse(ran.stdout) as { changed: string[] }).changed, ['Secret default/ghcr-cred']);
    assert.equal(env(), example().replace('#GITHUB_TOKEN=', `GITHUB_TOKEN=${other}`));
    assert.notEqual((await demand(kubectl('get', 'secret', 'ghcr-cred', '-o', 'json'))).stdout, before);
    const back = await heard(person.answer('npm run --silent credentials -- --check'));
    assert.match(back.screen, new RegExp(`…${other.slice(-4)}`));
  });

  it('--remove goes back to stand-ins, and takes the token out of .env if that is wanted', async () => {
    writeFileSync(join(person.clone, '.env'), env().replace(other, token), { mode: 0o600 });
    const ran = await heard(person.answer('npm run --silent credentials -- --remove', ['out of .env', keys.enter]));
    assert.equal(ran.code, 0, ran.screen);
    assert.match(ran.screen, /services are stand-ins[\s\S]*There is a token in \.env/);
    assert.notEqual((await kubectl('get', 'secret', 'ghcr-cred')).code, 0);
    const account = await demand(kubectl('get', 'serviceaccount', 'default', '-o', 'json'));
    assert(!account.stdout.includes('ghcr-cred'));
    assert.deepEqual(await images(), all(true));
    assert.match(env(), new RegExp(`^GITHUB_TOKEN=${token}$`, 'm'));
    assert.match((await npm('credentials', '--remove', '--forget')).stdout, /out of \.env/);
    assert.equal(env(), example());
  });

  inCampaign('GHCR_CREDENTIALS=none leaves a token alone, and takes it out of the cluster', async () => {
    await demand(person.run(['npm', 'run', '--silent', 'up'], { env: { GITHUB_TOKEN: other } }));
    assert.equal((await kubectl('get', 'secret', 'ghcr-cred')).code, 0);
    const none = { env: { GITHUB_TOKEN: other, GHCR_CREDENTIALS: 'none' } };
    await heard(demand(person.run(['npm', 'run', '--silent', 'up'], none)));
    assert.notEqual((await kubectl('get', 'secret', 'ghcr-cred')).code, 0);
    assert.deepEqual(await images(), all(true));
  });

  inCampaign('a pod that somebody started is left alone by up, though it can not pull its image', async () => {
    await demand(kubectl('run', 'mine', '--image=ghcr.io/nobody/nonsense:none'));
    const uid = async () => (await demand(kubectl('get', 'pod', 'mine', '--output=jsonpath={.metadata.uid}'))).stdout;
    const before = await uid();
    await untilIt(async () => /ErrImagePull|ImagePullBackOff/.test((await kubectl('get', 'pod', 'mine')).stdout));
    await demand(person.run(['npm', 'run', '--silent', 'up'], { env: { GITHUB_TOKEN: other } }));
    await heard(demand(person.run(['npm', 'run', '--silent', 'credentials', '--', '--remove'])));
    assert.equal(await uid(), before);
    await demand(kubectl('delete', 'pod', 'mine', '--now'));
  });

  const none = { env: { GHCR_CREDENTIALS: 'none' } };
  const make = (password: string) =>
    demand(
      kubectl(
        ...['create', 'secret', 'docker-registry', 'ghcr-cred', '--docker-server=ghcr.io'],
        ...['--docker-username=somebody', `--docker-password=${password}`],
      ),
    );

  inCampaign('a pull secret that somebody made and that pulls nothing is told, and the stand-ins stay', async () => {
    await make('ghp_nobody');
    const bad = await heard(demand(person.run(['npm', 'run', '--silent', 'up'], none)));
    assert.match(
      bad.stderr,
      /Secret default\/ghcr-cred can't pull the services' images: GitHub does not know this token/,
    );
    assert.deepEqual(await images(), all(true));
    await demand(kubectl('delete', 'secret', 'ghcr-cred'));
  });

  it('a pull secret that somebody made pulls the images, and up, credentials --remove and reset keep it', async () => {
    const secret = async () =>
      (await demand(kubectl('get', 'secret', 'ghcr-cred', '-o', 'jsonpath={.metadata.uid}{.data}'))).stdout;
    await make(other);
    const made = await secret();
    const up = await heard(demand(person.run(['npm', 'run', '--silent', 'up'], none)));
    assert.doesNotMatch(up.stderr, /can't pull/);
    assert.deepEqual(await images(), all(false));
    assert.match((await npm('status')).stdout, /with Secret ghcr-cred, which the platform did not create/);
    await heard(demand(person.run(['npm', 'run', '--silent', 'up'], { env: { GITHUB_TOKEN: other } })));
    assert.match((await heard(demand(person.npm('credentials', '--remove')))).stdout, /kept as it is/);
    assert.equal(await secret(), made);
    const { kept } = JSON.parse((await npm('reset', '--dry-run', '--json')).stdout) as { kept: { name: string }[] };
    assert.deepEqual(
      kept.map(({ name }) => name),
      ['ghcr-cred'],
    );
    await demand(kubectl('delete', 'secret', 'ghcr-cred'));
  });

  inCampaign(
    "without a secret the node goes on with the images that it has; a token's own comes and goes",
    async () => {
      await heard(demand(person.npm('up')));
      assert.deepEqual(await images(), all(false));
      await demand(person.run(['npm', 'run', '--silent', 'up'], { env: { GITHUB_TOKEN: other } }));
      await heard(demand(person.run(['npm', 'run', '--silent', 'up'], none)));
      assert.deepEqual(await images(), all(true));
    },
  );

  it('never shows the token, nor leaves it anywhere', async () => {
    await npm('up', '--verbose');
    await npm('nonsense');
    const { looked, seen } = await sampler.end();
    assert(looked > 1000, `only ${looked} looks`);
    assert.deepEqual(seen, []);
    const forms = formsOf(token, user.name);
    for (const text of said) assert(!forms.some((form) => text.includes(form)));
    const patterns = forms.flatMap((form) => ['-e', form]);
    const places = [person.clone, person.home];
    const found: Ran = await person.run(['grep', '-rlF', ...patterns, ...places]);
    // What came with the clone was not left there by a command; a repository may name a token that is no secret.
    const cloned = (await person.run(['git', 'grep', '-lF', ...patterns, 'HEAD'])).stdout
      .replaceAll('HEAD:', '')
      .split('\n');
    const holding = found.stdout.split('\n').filter((file) => file !== '');
    const left = holding.map((file) => relative(person.clone, file)).filter((file) => !cloned.includes(file));
    assert.deepEqual(left, []);
    assert(existsSync(join(person.home, '.npm', '_logs')), 'npm kept no log that could be looked at');
  });

  it('takes the token out of the file for support, though a pod says it', async () => {
    // One that is on the node and has a shell, whatever the services run.
    const query = ['--namespace=argocd', '--output=jsonpath={..image}'];
    const [image] = (await demand(kubectl('get', 'deployment/argocd-server', ...query))).stdout.split(' ');
    const says = ['sh', '-c', 'echo "$0"; exit 1', token];
    const run = ['run', 'leak', `--image=${image}`, '--image-pull-policy=Never', '--restart=Never', '--command', '--'];
    await demand(kubectl(...run, ...says));
    await untilIt(
      async () => (await kubectl('get', 'pod', 'leak', '--output=jsonpath={.status.phase}')).stdout === 'Failed',
    );
    const ran = await demand(
      person.run(['npm', 'run', '--silent', 'support-bundle'], { env: { GITHUB_TOKEN: token } }),
    );
    const file = ran.stdout.trim();
    const text = readFileSync(file, 'utf8');
    assert.match(text, /^\[leak\] \S+ \[redacted\]$/m);
    assert(!formsOf(token, user.name).some((form) => text.includes(form)));
    assert.equal(statSync(file).mode & 0o777, 0o600);
    await demand(kubectl('delete', 'pod', 'leak'));
    await person.run(['rm', file]);
  });

  function example(): string {
    return readFileSync(join(person.clone, '.env.example'), 'utf8');
  }
}

async function untilIt(holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 120_000; !(await holds()); ) {
    if (Date.now() > deadline) throw new Error('waited two minutes in vain');
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}
