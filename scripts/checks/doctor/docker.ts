import { hostname } from 'node:os';
import { docker, isAtLeast } from '../../config/versions.ts';
import { CommandError } from '../../lib/exec.ts';
import { readFileOrPipe } from '../../lib/files.ts';
import { type DockerInfo, type DoctorContext, type DoctorFinding, firstLine, ok, problem } from './check.ts';

/** Docker answers, and is new enough for kind. Also returns what it says about itself. */
export async function askDocker(context: DoctorContext): Promise<{ info?: DockerInfo; finding: DoctorFinding }> {
  const { stdout, stderr, exitCode } = await context
    .exec(['docker', 'info', '--format', '{{json .}}'], { nothrow: true, timeout: 30_000 })
    .catch((error: unknown) => {
      if (error instanceof CommandError) return { stdout: '', stderr: 'it did not answer within 30 s', exitCode: 1 };
      throw error;
    });
  const info = parseInfo(stdout);
  // Older clients end with 0 and tell of a missing server only in here.
  const errors = info?.ServerErrors ?? [];
  if (info?.ServerVersion && errors.length === 0)
    return { info, finding: (await findMisfit(context, info)) ?? judgeVersion(info) };
  return { finding: await findDockerProblem(context, exitCode, [stderr, ...errors].join('\n')) };
}

function parseInfo(stdout: string): (DockerInfo & { ServerErrors?: string[] }) | undefined {
  try {
    return JSON.parse(stdout);
  } catch {
    return undefined;
  }
}

/** A Docker that answers, and on which a cluster of this checkout can't run. */
async function findMisfit(context: DoctorContext, info: DockerInfo): Promise<DoctorFinding | undefined> {
  const { exec, mounts = '/proc/self/mountinfo' } = context;
  const ask = async (...query: string[]) => (await exec(['docker', ...query], { nothrow: true })).stdout.trim();
  const misfit = (message: string, remedy: string) => problem('docker', { errorId: 'docker-unfit', message, remedy });

  const address =
    info.Name === hostname() ? '' : await ask('context', 'inspect', '--format', '{{.Endpoints.docker.Host}}');
  if (/^(tcp|ssh|https?):/.test(address))
    return misfit(
      `Docker runs on another machine (${address}), where the cluster can't read this checkout.`,
      'Use a Docker of this machine (unset DOCKER_HOST, docker context use default), or TARGET_CONTEXT for a cluster elsewhere.',
    );
  // Docker gives each container files such as /etc/hosts out of a folder that is named after it.
  const own = /\/containers\/([0-9a-f]{64})\//.exec(readFileOrPipe(mounts) ?? '')?.[1];
  if (own !== undefined && (await ask('container', 'inspect', '--format', '{{.Id}}', own)) === own)
    return misfit(
      "This shell runs in a container, and Docker outside of it, where the cluster can't read this checkout.",
      'Run the command outside of the container, or give the container a Docker of its own (docker-in-docker).',
    );
  const has = (option: string) => info.SecurityOptions?.some((one) => one.startsWith(`name=${option}`)) === true;
  if (has('userns'))
    return misfit(
      'Docker runs containers in user namespaces (userns-remap), in which a node of Kubernetes does not start.',
      'Remove userns-remap from /etc/docker/daemon.json and restart Docker, or use rootless Docker.',
    );
  if (has('rootless') && (info.CgroupVersion !== '2' || !info.MemoryLimit || !info.PidsLimit || !info.CPUShares))
    return misfit(
      'Docker runs without root and may not limit memory, processes and CPU of containers, which kind needs.',
      'Use cgroup v2 and delegate the controllers: https://kind.sigs.k8s.io/docs/user/rootless/.',
    );
  return undefined;
}

function judgeVersion({ ServerVersion, OperatingSystem }: DockerInfo): DoctorFinding {
  if (isAtLeast(ServerVersion, docker.minimum))
    return ok('docker', `Docker ${ServerVersion} answers (${OperatingSystem}).`);
  return problem('docker', {
    errorId: 'docker-too-old',
    message: `Docker ${ServerVersion} is too old: kind needs ${docker.minimum} or newer.`,
    remedy: 'Update Docker: https://docs.docker.com/engine/install/.',
  });
}

const notFound = 127;

const remedies = {
  mac: {
    install: 'Install Docker Desktop (https://docs.docker.com/desktop/) or Colima (brew install colima docker).',
    start: 'Start Docker Desktop (open -a Docker) or Colima (colima start).',
    permit: 'Restart Docker Desktop or Colima as this user.',
  },
  other: {
    install: 'Install Docker Engine: https://docs.docker.com/engine/install/.',
    start: 'Start it: sudo systemctl start docker, or Docker Desktop if that is what you use.',
    permit: 'Join the group docker, then log out and in again: sudo usermod -aG docker "$USER".',
  },
};

/** Tells apart what can be wrong, by how `docker info` ended and what it wrote. */
async function findDockerProblem(context: DoctorContext, exitCode: number, said: string): Promise<DoctorFinding> {
  const { exec, platform = process.platform } = context;
  const { install, start, permit } = remedies[platform === 'darwin' ? 'mac' : 'other'];
  if (exitCode === notFound) {
    const message = 'Docker is not installed, or not on the PATH.';
    return problem('docker', { errorId: 'docker-missing', message, remedy: install });
  }
  const why = firstLine(said.replace(/^(warning|deprecated)\b.*$/gim, ''));
  // As the child sees it, which is what counts.
  const host = (await exec(['printenv', 'DOCKER_HOST'], { nothrow: true })).stdout.trim();
  const isSocket = host === '' || host.startsWith('unix://');
  if (isSocket && /permission denied/i.test(said)) {
    const message = 'This user may not use Docker.';
    return problem('docker', { errorId: 'docker-not-permitted', message, remedy: permit });
  }
  const isSilent = /cannot connect|connection refused|no such file|is the docker daemon running/i.test(said);
  if (host !== '') {
    return problem('docker', {
      errorId: 'docker-host',
      message: isSilent
        ? `Docker does not answer at ${host}, where DOCKER_HOST points.`
        : `DOCKER_HOST points to ${host}, which does not work: ${why}.`,
      remedy: 'Start Docker there, or correct DOCKER_HOST, or unset it to use the Docker of this machine.',
    });
  }
  if (isSilent) {
    const message = 'Docker is installed but not running.';
    return problem('docker', { errorId: 'docker-not-running', message, remedy: start });
  }
  return problem('docker', {
    errorId: 'docker-odd',
    message: `Docker does not answer as expected: ${why || 'it says nothing'}.`,
    remedy: 'Run "docker info" to see what is wrong.',
  });
}
