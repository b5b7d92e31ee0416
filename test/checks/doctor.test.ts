import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { hostname, networkInterfaces, release } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DoctorContext, DoctorFinding } from '../../scripts/checks/doctor/check.ts';
import { judgeDisk, judgeInotify } from '../../scripts/checks/doctor/machine.ts';
import { runDoctorChecks } from '../../scripts/checks/doctor/preflight.ts';
import type { PreflightCheckName } from '../../scripts/config/settings.ts';
import type { Toolbox } from '../../scripts/kubernetes/tools/toolbox.ts';
import { UsageError } from '../../scripts/lib/errors.ts';
import { CommandError, type Exec, type Output } from '../../scripts/lib/exec.ts';
import { fakeExec, temporaryFolder } from '../support/fakes.ts';

type Answers = Record<string, Partial<Output>>;
const gib = 2 ** 30;

/** Answers by the beginning of the command line; any other program is not installed. */
function execWith(answers: Answers) {
  return fakeExec((line) => answers[Object.keys(answers).find((start) => line.startsWith(start)) ?? ''] ?? missing);
}
const missing = { exitCode: 127 };

const info = {
  ServerVersion: '28.2.2',
  MemTotal: 16 * gib,
  DockerRootDir: '/does/not/exist/here',
  OperatingSystem: 'Ubuntu 24.04 LTS',
  KernelVersion: release(),
  CgroupVersion: '2',
  Name: 'laptop',
  SecurityOptions: ['name=seccomp,profile=builtin'],
  MemoryLimit: true,
  PidsLimit: true,
  CPUShares: true,
};
const docker = (changes: Partial<typeof info> = {}): Answers => ({
  'docker info': { stdout: JSON.stringify({ ...info, ...changes }) },
});
const dockerSays = (stderr: string, host = ''): Answers => ({
  'docker info': { stdout: '{"ID":"","ServerVersion":""}', stderr, exitCode: 1 },
  'printenv DOCKER_HOST': { stdout: host, exitCode: host === '' ? 1 : 0 },
});

const toolbox: Toolbox = {
  find: async (name) => ({ name, path: `/bin/${name}`, version: 'v1.2.3', source: 'path' }),
};
const contextWith = (answers: Answers, changes: Partial<DoctorContext> = {}): DoctorContext => ({
  exec: execWith(answers),
  toolbox,
  tools: ['kind', 'kubectl', 'helm'],
  ports: { http: 80, https: 443 },
  clusterExists: true,
  checkout: async () => {},
  platform: 'linux',
  ...changes,
});

function assertSentence({ message, level, remedy }: DoctorFinding) {
  assert.match(message, /^\S.*[^.]\.$/);
  assert.equal(remedy === undefined, level === 'ok');
}

const mac = { platform: 'darwin' } as const;
const new136 = { kubernetesVersion: 'v1.36.4' };
const gone = 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?';
const denied = 'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock';
const refused = 'error during connect: Get "http://h:1/info": dial tcp: lookup h: no such host';
const git: Answers = { 'git --version': { stdout: 'git version 2.39.5 (Apple Git-154)\n' } };
const checkout = () => Promise.reject(new UsageError('It is shallow.', { id: 'clone-unfit', hint: 'Deepen it' }));

const at = (address: string, changes: Partial<typeof info> = {}): Answers => ({
  ...docker(changes),
  'docker context inspect': { stdout: `${address}\n` },
});
const rootless = { SecurityOptions: ['name=rootless', 'name=cgroupns'] };
const ourselves = 'c0de'.repeat(16);
const mounts = join(await temporaryFolder(), 'mountinfo');
writeFileSync(mounts, `9 8 0:1 /var/lib/docker/containers/${ourselves}/hosts /etc/hosts rw - ext4 /dev/vda rw\n`);
const known: Answers = { ...docker(), 'docker container inspect': { stdout: `${ourselves}\n` } };

/** What is found: the level, and the id of a failure that has one. */
type Row = [name: PreflightCheckName, when: string, answers: Answers, found: string, more?: More];
interface More extends Partial<DoctorContext> {
  says?: RegExp;
}
const rows: Row[] = [
  ['docker', 'it answers', docker(), 'ok', { says: /28\.2\.2/ }],
  ['docker', 'it is not installed', {}, 'problem docker-missing'],
  ['docker', 'it is not running', dockerSays(gone), 'problem docker-not-running', { says: /systemctl/ }],
  ['docker', 'it is not running on a Mac', dockerSays(gone), 'problem docker-not-running', { ...mac, says: /colima/ }],
  ['docker', 'the user is not in its group', dockerSays(denied), 'problem docker-not-permitted', { says: /usermod/ }],
  ['docker', 'DOCKER_HOST is wrong', dockerSays(refused, 'tcp://h:1'), 'problem docker-host', { says: /h:1, .*error/ }],
  ['docker', 'ssh is denied', dockerSays('Permission denied (publickey)', 'ssh://h'), 'problem docker-host'],
  ['docker', 'a warning comes first', dockerSays(`WARNING: config\n${gone}`, 'unix:///x'), 'problem docker-host'],
  ['docker', 'something else answers', { 'docker info': { stdout: 'podman' } }, 'problem docker-odd'],
  ['docker', 'an old client meets no server', old({ ServerErrors: [gone] }), 'problem docker-not-running'],
  ['docker', 'it is old', docker({ ServerVersion: '19.3.15' }), 'problem docker-too-old', { says: /19\.3\.15/ }],
  ['docker', 'it is just new enough', docker({ ServerVersion: '20.10.24+dfsg1' }), 'ok'],
  ['docker', 'it runs on another machine', at('ssh://u@h'), 'problem docker-unfit', { says: /ssh:\/\/u@h/ }],
  ['docker', 'it runs here, with an address', at('tcp://127.0.0.1:2375', { Name: hostname() }), 'ok'],
  ['docker', 'its socket is elsewhere', at('unix:///run/user/1000/docker.sock'), 'ok'],
  ['docker', 'it runs outside of our container', known, 'problem docker-unfit', { mounts, says: /docker-in-docker/ }],
  ['docker', 'it runs inside of our container', docker(), 'ok', { mounts }],
  ['docker', 'it maps users', docker({ SecurityOptions: ['name=userns'] }), 'problem docker-unfit', { says: /userns/ }],
  ['docker', 'it is rootless', docker(rootless), 'ok'],
  ['docker', 'rootless, it has old cgroups', docker({ ...rootless, CgroupVersion: '1' }), 'problem docker-unfit'],
  ['docker', 'rootless, it may not limit', docker({ ...rootless, PidsLimit: false }), 'problem docker-unfit'],
  ['memory', 'there is plenty', docker(), 'ok', { says: /16\.0 GiB/ }],
  ['memory', 'there is little', docker({ MemTotal: 4 * gib }), 'warning', { says: /other programs/ }],
  ['memory', 'Docker Desktop has too little', little({ OperatingSystem: 'Docker Desktop' }), 'problem memory'],
  ['memory', 'Colima has too little', little({ Name: 'colima' }), 'problem memory', { says: /--memory/ }],
  ['memory', 'Docker is away', {}, 'nothing'],
  ['disk', 'Docker keeps its images elsewhere', docker(), 'nothing'],
  ['disk', 'Docker is away', {}, 'nothing'],
  ['inotify', 'it is no Linux', docker(), 'nothing', mac],
  ['inotify', 'Docker has another kernel', docker({ KernelVersion: '1.0-linuxkit' }), 'nothing'],
  ['cgroup', 'an old system meets a new Kubernetes', docker({ CgroupVersion: '1' }), 'problem cgroup-v1', new136],
  ['cgroup', 'it meets an older one', docker({ CgroupVersion: '1' }), 'ok', { kubernetesVersion: 'v1.34.4' }],
  ['cgroup', 'a new system meets a new Kubernetes', docker(), 'ok', new136],
  ['cgroup', 'the Kubernetes is not known', docker({ CgroupVersion: '1' }), 'nothing'],
  ['git', 'it is a clone', git, 'ok'],
  ['git', 'it is missing', {}, 'problem git-missing', { says: /not installed/ }],
  ['git', 'a Mac has no developer tools', { git: { exitCode: 1 } }, 'problem git-missing', { ...mac, says: /xcode-/ }],
  ['git', 'it is old', { git: { stdout: 'git version 2.17.1\n' } }, 'problem git-missing', { says: /2\.17\.1/ }],
  ['git', 'the checkout can’t be used', git, 'problem clone-unfit', { checkout, says: /Deepen/ }],
  ['ports', 'the cluster exists', {}, 'nothing'],
];

function old(info: object): Answers {
  return { 'docker info': { stdout: JSON.stringify(info) } };
}
function little(changes: Partial<typeof info>): Answers {
  return docker({ MemTotal: 2 * gib, ...changes });
}

for (const [name, when, answers, found, { says = /./, ...changes } = {}] of rows) {
  test(`${name}: ${found} when ${when}`, async () => {
    const [finding, ...others] = await runDoctorChecks(contextWith(answers, changes), [name]);
    assert.deepEqual(others, []);
    assert.equal([finding?.level ?? 'nothing', finding?.errorId ?? []].flat().join(' '), found);
    if (finding === undefined) return;
    assertSentence(finding);
    assert.match(`${finding.message} ${finding.remedy}`, says);
  });
}

test('a Docker that hangs is a finding', async () => {
  const exec: Exec = async (command) => {
    if (command[0] === 'docker') throw new CommandError(command, { stdout: '', stderr: '', exitCode: 1 }, 30_000);
    return { stdout: '', stderr: '', exitCode: 1 };
  };
  const [finding] = await runDoctorChecks(contextWith({}, { exec }), ['docker']);
  assert.match(finding?.message ?? '', /did not answer within 30 s/);
});

test('free disk has the limits of its own', () => {
  const levels = [20, 9.9, 2.9].map((free) => judgeDisk(free * gib, '/var/lib/docker').level);
  assert.deepEqual(levels, ['ok', 'warning', 'problem']);
});

test('low inotify limits: a warning with the line that raises just what is low', () => {
  const finding = judgeInotify({ max_user_instances: 127, max_user_watches: 65_536 });
  assert.equal(finding.level, 'warning');
  assert.match(finding.remedy ?? '', /sudo sysctl fs\.inotify\.max_user_instances=512;/);
  assert.equal(judgeInotify({ max_user_instances: 128, max_user_watches: 65_536 }).level, 'ok');
});

test('tools: a finding for each, and what to do where one is missing', async () => {
  const without: Toolbox = {
    find: (name) => (name === 'helm' ? Promise.reject(new UsageError('No helm.', 'Get it.')) : toolbox.find(name)),
  };
  const found = await runDoctorChecks(contextWith({}, { toolbox: without }), ['tools']);
  assert.deepEqual(
    found.map(({ level, message, remedy }) => [level, message, remedy]),
    [
      ['ok', 'kind v1.2.3 is ready, from the PATH (/bin/kind).', undefined],
      ['ok', 'kubectl v1.2.3 is ready, from the PATH (/bin/kubectl).', undefined],
      ['problem', 'No helm.', 'Get it.'],
    ],
  );
});

async function withListener<T>(run: (port: number) => Promise<T>, host = '127.0.0.1'): Promise<T> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  try {
    return await run((server.address() as AddressInfo).port);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}
const portsWith = (answers: Answers, http: number, https: number) =>
  runDoctorChecks(contextWith(answers, { clusterExists: false, ports: { http, https } }), ['ports']);

const container = { 'docker ps --filter publish=': { stdout: 'web\n' }, lsof: { stdout: 'p1\ncdockerd' } };
const holders: [who: string, answers: Answers, says: RegExp][] = [
  ['a container', container, /container "web"/],
  ['a process that lsof names', { docker: {}, lsof: { stdout: 'p42\ncnginx\nf6\n' } }, /nginx \(process 42\)/],
  ['one that ss names', { ss: { stdout: 'LISTEN 0 5 *:80 *:* users:(("caddy",pid=7,fd=3))' } }, /caddy \(process 7\)/],
  ['nobody that can be seen', {}, /another process/],
];
for (const [who, answers, says] of holders) {
  test(`a taken port is a problem that names ${who} and the setting`, () =>
    withListener(async (port) => {
      const [http, https] = await portsWith(answers, port, port);
      assert.match(http?.message ?? '', says);
      assert.match(http?.remedy ?? '', /HTTP_PORT in \.env/);
      assert.match(https?.remedy ?? '', /HTTPS_PORT in \.env/);
      if (http) assertSentence(http);
    }));
}

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
test('a port that is taken on [::1] alone is a problem, too', { skip: !hasIpv6 && 'no IPv6 here' }, () =>
  withListener(async (port) => {
    const found = await portsWith(docker(), port, port);
    assert.deepEqual(
      found.map(({ level }) => level),
      ['problem', 'problem'],
    );
  }, '::1'),
);

test('a port that nobody listens on is free', async () => {
  const [http, https] = await withListener((one) => withListener(async (other) => [one, other] as const));
  const found = await portsWith(docker(), http, https);
  assert.deepEqual(
    found.map(({ level }) => level),
    ['ok', 'ok'],
  );
});

test('a missing Docker is one finding, and every run asks once', async () => {
  const exec = execWith({});
  const context = contextWith({}, { exec, ...new136 });
  const found = await runDoctorChecks(context);
  assert.deepEqual(
    found.map(({ check }) => check),
    ['docker', 'git', 'kind', 'kubectl', 'helm'],
  );
  await runDoctorChecks(context);
  assert.equal(exec.lines().filter((line) => line.startsWith('docker info')).length, 2);
});

test('a problem of an ignored check is a warning that says so, and keeps its remedy', async () => {
  const context = contextWith({ ...git, ...docker({ CgroupVersion: '1', MemTotal: gib }) }, new136);
  const names = ['memory', 'cgroup', 'git'] as const;
  const [memory, cgroup, checkout] = await runDoctorChecks(context, names);
  assert(memory?.level === 'problem' && cgroup?.level === 'problem' && cgroup.ignored === undefined);
  assert.deepEqual(await runDoctorChecks({ ...context, ignored: ['cgroup', 'git'] }, names), [
    memory,
    { ...cgroup, level: 'warning', ignored: true, message: `Ignored check "cgroup": ${cgroup.message}` },
    checkout,
  ]);
});

test('every finding names the check that IGNORE_CHECKS would ignore, in the order of the names', async () => {
  const context = contextWith({ ...git, ...docker({ KernelVersion: 'other' }) }, new136);
  const ids = await runDoctorChecks({ ...context, clusterExists: false, ports: { http: 1, https: 2 } });
  assert.deepEqual(
    ids.map(({ id, check }) => `${id} ${check}`),
    [
      ...['docker docker', 'memory memory', 'cgroup cgroup', 'ports port 1', 'ports port 2', 'git git'],
      ...['tools kind', 'tools kubectl', 'tools helm'],
    ],
  );
});
