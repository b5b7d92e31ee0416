import { type CheckContext, firstLine } from './check.ts';

/** Why Docker doesn't answer, in a sentence, and what to do about it. */
export interface Trouble {
  message: string;
  remedy: string;
}

const notFound = 127;

/** Tells apart what can be wrong, by how `docker info` ended and what it wrote. */
export async function dockerTrouble(context: CheckContext, exitCode: number, said: string): Promise<Trouble> {
  const { exec, platform = process.platform } = context;
  if (exitCode === notFound)
    return { message: 'Docker is not installed, or not on the PATH.', remedy: install(platform) };

  const why = firstLine(said.replace(/^(warning|deprecated)\b.*$/gim, ''));
  // As the child sees it, which is what counts.
  const host = (await exec(['printenv', 'DOCKER_HOST'], { nothrow: true })).stdout.trim();
  const isSocket = host === '' || host.startsWith('unix://');
  if (isSocket && /permission denied/i.test(said))
    return { message: 'This user may not use Docker.', remedy: permit(platform) };
  const isSilent = /cannot connect|connection refused|no such file|is the docker daemon running/i.test(said);
  if (host !== '') {
    return {
      message: isSilent
        ? `Docker does not answer at ${host}, where DOCKER_HOST points.`
        : `DOCKER_HOST points to ${host}, which does not work: ${why}.`,
      remedy: 'Start Docker there, or correct DOCKER_HOST, or unset it to use the Docker of this machine.',
    };
  }
  if (isSilent) return { message: 'Docker is installed but not running.', remedy: start(platform) };
  return {
    message: `Docker does not answer as expected: ${why || 'it says nothing'}.`,
    remedy: 'Run "docker info" to see what is wrong.',
  };
}

function install(platform: NodeJS.Platform): string {
  return platform === 'darwin'
    ? 'Install Docker Desktop (https://docs.docker.com/desktop/) or Colima (brew install colima docker).'
    : 'Install Docker Engine: https://docs.docker.com/engine/install/.';
}

function start(platform: NodeJS.Platform): string {
  return platform === 'darwin'
    ? 'Start Docker Desktop (open -a Docker) or Colima (colima start).'
    : 'Start it: sudo systemctl start docker, or Docker Desktop if that is what you use.';
}

function permit(platform: NodeJS.Platform): string {
  return platform === 'darwin'
    ? 'Restart Docker Desktop or Colima as this user.'
    : 'Join the group docker, then log out and in again: sudo usermod -aG docker "$USER".';
}
