import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { release } from 'node:os';
import { test } from 'node:test';
import type { DoctorCheck, DoctorContext, DoctorFinding } from '../../scripts/checks/doctor/check.ts';
import { checkDocker } from '../../scripts/checks/doctor/docker.ts';
import {
  checkCgroup,
  checkDisk,
  checkFreePorts,
  checkInotify,
  checkMemory,
  judgeDisk,
  judgeInotify,
} from '../../scripts/checks/doctor/machine.ts';
import { dockerChecks, runDoctorChecks } from '../../scripts/checks/doctor/preflight.ts';
import { checkGit, checkTools } from '../../scripts/checks/doctor/tools.ts';
import type { Toolbox } from '../../scripts/kubernetes/tools/toolbox.ts';
import { UsageError } from '../../scripts/lib/errors.ts';
import { CommandError, type Exec, type Output } from '../../scripts/lib/exec.ts';

type Answers = Record<string, Partial<Output>>;

/** Answers by the beginning of the command line; any other program is not installed. */
function fakeExec(answers: Answers, seen: string[] = []): Exec {
  return async (command) => {
    const line = command.join(' ');
    seen.push(line);
    const key = Object.keys(answers).find((start) => line.startsWith(start));
    return {
      stdout: '',
      stderr: '',
      exitCode: key === undefined ? 127 : 0,
      ...(key === undefined ? {} : answers[key]),
    };
  };
}

const info = {
  ServerVersion: '28.2.2',
  MemTotal: 16 * 2 ** 30,
  DockerRootDir: '/does/not/exist/here',
  OperatingSystem: 'Ubuntu 24.04 LTS',
  KernelVersion: release(),
  CgroupVersion: '2',
  Name: 'laptop',
  SecurityOptions: ['name=seccomp,profile=builtin'],
};
const dockerWith = (changes: Partial<typeof info> = {}): Answers => ({
  'docker info': { stdout: JSON.stringify({ ...info, ...changes }) },
});
const dockerFails = (stderr: string, host = ''): Answers => ({
  'docker info': { stdout: '{"ID":"","ServerVersion":""}', stderr, exitCode: 1 },
  'printenv DOCKER_HOST': { stdout: host, exitCode: host === '' ? 1 : 0 },
});

const toolbox: Toolbox = {
  find: async (name) => ({ name, path: `/bin/${name}`, version: 'v1.2.3', source: 'path' }),
};
const contextWith = (answers: Answers, changes: Partial<DoctorContext> = {}): DoctorContext => ({
  exec: fakeExec(answers),
  toolbox,
  ports: { http: 80, https: 443 },
  clusterExists: true,
  checkout: '/checkout',
  platform: 'linux',
  ...changes,
});
const findings = async (check: DoctorCheck, context: DoctorContext) => [await check(context)].flat();

function assertSentence({ message, level, remedy }: DoctorFinding) {
  assert.match(message, /^\S.*[^.]\.$/s);
  assert.ok(!message.includes('\n'));
  assert.equal(remedy === undefined, level === 'ok');
}

interface Row {
  check: DoctorCheck;
  when: string;
  answers: Answers;
  context?: Partial<DoctorContext>;
  level: DoctorFinding['level'] | 'nothing';
  says?: RegExp;
  remedy?: RegExp;
}
const darwin = { platform: 'darwin' } as const;
const gone = 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?';
const denied = 'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock';
const refused = 'error during connect: Get "http://h:1/info": dial tcp: lookup h: no such host';
const gib = 2 ** 30;
const git = { 'git --version': { stdout: 'git version 2.39.5 (Apple Git-154)\n' } };
const rows: Row[] = [
  { check: checkDocker, when: 'Docker answers', answers: dockerWith(), level: 'ok', says: /28\.2\.2/ },
  { check: checkDocker, when: 'it is not installed', answers: {}, level: 'problem', says: /not installed/ },
  {
    check: checkDocker,
    when: 'it is not running',
    answers: dockerFails(gone),
    level: 'problem',
    says: /not running/,
    remedy: /systemctl/,
  },
  {
    check: checkDocker,
    when: 'it is not running on a Mac',
    answers: dockerFails(gone),
    context: darwin,
    level: 'problem',
    remedy: /colima start/,
  },
  {
    check: checkDocker,
    when: 'the user is not in its group',
    answers: dockerFails(denied),
    level: 'problem',
    says: /may not/,
    remedy: /usermod/,
  },
  {
    check: checkDocker,
    when: 'DOCKER_HOST is wrong',
    answers: dockerFails(refused, 'tcp://h:1'),
    level: 'problem',
    says: /DOCKER_HOST points to tcp:\/\/h:1, which does not work: error/,
  },
  {
    check: checkDocker,
    when: 'ssh to DOCKER_HOST is denied',
    answers: dockerFails('Permission denied (publickey)', 'ssh://h'),
    level: 'problem',
    says: /DOCKER_HOST/,
  },
  {
    check: checkDocker,
    when: 'a warning comes first',
    answers: dockerFails(`WARNING: config\n${gone}`, 'unix:///x'),
    level: 'problem',
    says: /does not answer at unix:\/\/\/x/,
  },
  {
    check: checkDocker,
    when: 'something else answers',
    answers: { 'docker info': { stdout: 'podman' } },
    level: 'problem',
    says: /as expected/,
  },
  {
    check: checkDocker,
    when: 'an old client meets no server',
    answers: { 'docker info': { stdout: JSON.stringify({ ServerErrors: [gone] }) } },
    level: 'problem',
    says: /not running/,
  },
  {
    check: checkDocker,
    when: 'it is old',
    answers: dockerWith({ ServerVersion: '19.3.15' }),
    level: 'problem',
    says: /19\.3\.15 is too old/,
  },
  {
    check: checkDocker,
    when: 'it is just new enough',
    answers: dockerWith({ ServerVersion: '20.10.24+dfsg1' }),
    level: 'ok',
  },
  { check: checkMemory, when: 'there is plenty', answers: dockerWith(), level: 'ok', says: /16\.0 GiB/ },
  {
    check: checkMemory,
    when: 'there is little',
    answers: dockerWith({ MemTotal: 4 * gib }),
    level: 'warning',
    remedy: /other programs/,
  },
  {
    check: checkMemory,
    when: 'there is too little',
    answers: dockerWith({ MemTotal: 2 * gib, OperatingSystem: 'Docker Desktop' }),
    level: 'problem',
    remedy: /Settings/,
  },
  {
    check: checkMemory,
    when: 'Colima has too little',
    answers: dockerWith({ MemTotal: 2 * gib, Name: 'colima' }),
    level: 'problem',
    remedy: /--memory/,
  },
  { check: checkMemory, when: 'Docker is away', answers: {}, level: 'nothing' },
  { check: checkDisk, when: 'Docker keeps its images elsewhere', answers: dockerWith(), level: 'nothing' },
  { check: checkDisk, when: 'Docker is away', answers: {}, level: 'nothing' },
  { check: checkInotify, when: 'it is no Linux', answers: dockerWith(), context: darwin, level: 'nothing' },
  {
    check: checkInotify,
    when: 'Docker has another kernel',
    answers: dockerWith({ KernelVersion: '1.0-linuxkit' }),
    level: 'nothing',
  },
  {
    check: checkCgroup,
    when: 'an old system meets a new Kubernetes',
    answers: dockerWith({ CgroupVersion: '1' }),
    context: { kubernetesVersion: 'v1.36.4' },
    level: 'problem',
    remedy: /KIND_NODE_IMAGE/,
  },
  {
    check: checkCgroup,
    when: 'an old system meets an older Kubernetes',
    answers: dockerWith({ CgroupVersion: '1' }),
    context: { kubernetesVersion: 'v1.34.4' },
    level: 'ok',
  },
  {
    check: checkCgroup,
    when: 'a new system meets a new Kubernetes',
    answers: dockerWith(),
    context: { kubernetesVersion: 'v1.36.4' },
    level: 'ok',
  },
  {
    check: checkCgroup,
    when: 'the Kubernetes is not known',
    answers: dockerWith({ CgroupVersion: '1' }),
    level: 'nothing',
  },
  {
    check: checkGit,
    when: 'it is a clone',
    answers: { ...git, 'git -C': { stdout: 'abc' } },
    level: 'ok',
  },
  { check: checkGit, when: 'git is missing', answers: {}, level: 'problem', says: /not installed/ },
  {
    check: checkGit,
    when: 'a Mac has no developer tools',
    answers: { git: { stderr: 'xcode-select: note: no developer tools', exitCode: 1 } },
    context: darwin,
    level: 'problem',
    says: /xcode-select/,
    remedy: /xcode-select --install/,
  },
  {
    check: checkGit,
    when: 'git is old',
    answers: { git: { stdout: 'git version 2.17.1\n' } },
    level: 'problem',
    says: /2\.17\.1 is too old/,
  },
  {
    check: checkGit,
    when: 'it is an unpacked archive',
    answers: { ...git, 'git -C': { stderr: 'fatal: not a git repository', exitCode: 128 } },
    level: 'warning',
    remedy: /git clone/,
  },
  {
    check: checkGit,
    when: 'it belongs to another user',
    answers: { ...git, 'git -C': { stderr: 'fatal: detected dubious ownership', exitCode: 128 } },
    level: 'warning',
    remedy: /safe\.directory "\/checkout"/,
  },
  { check: checkFreePorts, when: 'the cluster exists', answers: {}, level: 'nothing' },
];
for (const { check, when, answers, context, level, says, remedy } of rows) {
  test(`${check.name}: ${level} when ${when}`, async () => {
    const [finding, ...more] = await findings(check, contextWith(answers, context));
    assert.deepEqual(more, []);
    assert.equal(finding?.level ?? 'nothing', level);
    if (finding === undefined) return;
    assertSentence(finding);
    if (says) assert.match(finding.message, says);
    if (remedy) assert.match(finding.remedy ?? '', remedy);
  });
}

test('a Docker that hangs is a finding', async () => {
  const exec: Exec = async (command) => {
    if (command[0] === 'docker') throw new CommandError(command, { stdout: '', stderr: '', exitCode: 1 }, 30_000);
    return { stdout: '', stderr: '', exitCode: 1 };
  };
  const [finding] = await findings(checkDocker, contextWith({}, { exec }));
  assert.match(finding?.message ?? '', /did not answer within 30 s/);
});

const limits: [free: number, level: string][] = [
  [20, 'ok'],
  [9.9, 'warning'],
  [2.9, 'problem'],
];
for (const [free, level] of limits) {
  test(`${free} GiB of free disk: ${level}`, () => {
    const finding = judgeDisk(free * gib, '/var/lib/docker');
    assert.equal(finding.level, level);
    assertSentence(finding);
  });
}

test('low inotify limits: a warning with the line that raises just what is low', () => {
  const finding = judgeInotify({ max_user_instances: 127, max_user_watches: 65_536 });
  assert.equal(finding.level, 'warning');
  assert.match(finding.remedy ?? '', /sudo sysctl fs\.inotify\.max_user_instances=512;/);
  assert.equal(judgeInotify({ max_user_instances: 128, max_user_watches: 65_536 }).level, 'ok');
});

test('tools: a finding for each, and what to do where one is missing', async () => {
  const missing: Toolbox = {
    find: (name) => (name === 'helm' ? Promise.reject(new UsageError('No helm.', 'Get it.')) : toolbox.find(name)),
  };
  const found = await findings(checkTools, contextWith({}, { toolbox: missing }));
  assert.deepEqual(
    found.map(({ check, level }) => `${check} ${level}`),
    ['kind ok', 'kubectl ok', 'helm problem'],
  );
  assert.equal(found[0]?.message, 'kind v1.2.3 is ready, from the PATH (/bin/kind).');
  assert.deepEqual([found[2]?.message, found[2]?.remedy], ['No helm.', 'Get it.']);
});

async function withListener<T>(run: (port: number) => Promise<T>): Promise<T> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await run((server.address() as AddressInfo).port);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

const holders: [who: string, answers: Answers, says: RegExp][] = [
  [
    'a container',
    { 'docker ps --filter publish=': { stdout: 'web\n' }, lsof: { stdout: 'p1\ncdockerd' } },
    /container "web"/,
  ],
  ['a process that lsof names', { docker: {}, lsof: { stdout: 'p42\ncnginx\nf6\n' } }, /nginx \(process 42\)/],
  [
    'a process that ss names',
    { ss: { stdout: 'LISTEN 0 5 *:80 *:* users:(("caddy",pid=7,fd=3))' } },
    /caddy \(process 7\)/,
  ],
  ['nobody that can be seen', {}, /another process/],
];
for (const [who, answers, says] of holders) {
  test(`a taken port is a problem that names ${who} and the setting`, () =>
    withListener(async (port) => {
      const context = contextWith(answers, { clusterExists: false, ports: { http: port, https: port } });
      const [http, https] = await findings(checkFreePorts, context);
      assert.match(http?.message ?? '', says);
      assert.match(http?.remedy ?? '', /HTTP_PORT in \.env/);
      assert.match(https?.remedy ?? '', /HTTPS_PORT in \.env/);
      if (http) assertSentence(http);
    }));
}

test('a port that nobody listens on is free', async () => {
  const ports = await withListener((http) => withListener(async (https) => ({ http, https })));
  const context = contextWith(dockerWith(), { clusterExists: false, ports });
  for (const { level, message } of await findings(checkFreePorts, context))
    assert.equal(`${level} ${message.slice(-8)}`, 'ok is free.');
});

test('a missing Docker is one finding, and every run asks once, anew', async () => {
  const seen: string[] = [];
  const context = contextWith({}, { exec: fakeExec({}, seen), kubernetesVersion: 'v1.36.4' });
  const found = await runDoctorChecks(context);
  assert.deepEqual(
    found.map(({ check }) => check),
    ['docker', 'git', 'kind', 'kubectl', 'helm'],
  );
  await runDoctorChecks(context);
  assert.equal(seen.filter((line) => line.startsWith('docker info')).length, 2);
});

test('a problem of an ignored check is a warning that says so, and keeps its remedy', async () => {
  const answers = { ...git, ...dockerWith({ CgroupVersion: '1', MemTotal: 2 ** 30 }) };
  const old = { kubernetesVersion: 'v1.36.4', clusterExists: true };
  const noted = async (ignored: DoctorContext['ignored'] = []) =>
    (await runDoctorChecks(contextWith(answers, { ...old, ignored }))).filter(
      ({ id }) => id !== 'docker' && id !== 'tools',
    );
  const [memory, cgroup, ...others] = await noted();
  assert(memory?.level === 'problem' && cgroup?.level === 'problem' && cgroup.ignored === undefined);
  assert.deepEqual(await noted(['cgroup', 'git']), [
    memory,
    { ...cgroup, level: 'warning', ignored: true, message: `Ignored check "cgroup": ${cgroup.message}` },
    ...others,
  ]);
});

test('every finding names the check that IGNORE_CHECKS would ignore', async () => {
  const context = contextWith({ ...git, ...dockerWith() }, { kubernetesVersion: 'v1.36.4', clusterExists: false });
  const ids = (await runDoctorChecks(context)).map(({ check, id }) => `${id} ${check.replace(/\d+/, 'N')}`);
  const expected = ['docker docker', 'memory memory', 'cgroup cgroup', 'ports port N', 'ports port N', 'tools kind'];
  for (const pair of expected) assert(ids.includes(pair), `${pair} in ${ids.join(', ')}`);
});

test('where Docker alone is looked at, it can be ignored as well', async () => {
  const old = dockerWith({ ServerVersion: '19.3.1' });
  const [finding, ...others] = await runDoctorChecks(contextWith(old, { ignored: ['docker'] }), dockerChecks);
  assert.equal(`${finding?.check} ${finding?.level} ${others.length}`, 'docker warning 0');
});
