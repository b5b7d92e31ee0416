import { CommandError, type Exec } from '../processes/exec.ts';

export interface Holder {
  /** `the container "web"`, `nginx (process 12)`. */
  who: string;
  /** How to stop it. */
  stop: string;
}

/** Who listens on a TCP port, as far as this user may see it: a container, else a process. */
export async function portHolder(exec: Exec, port: number): Promise<Holder | undefined> {
  const ask = (...command: [string, ...string[]]) => outputOf(exec, command);
  const container = await ask('docker', 'ps', '--filter', `publish=${port}`, '--format', '{{.Names}}');
  const name = container.trim().split('\n')[0];
  // First, as the process would be Docker's own, which nobody wants to stop.
  if (name) return { who: `the container "${name}"`, stop: `Stop it (docker stop ${name})` };

  const lsof = await ask('lsof', '-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc');
  const [, pid, command] = /^p(\d+)\n(?:.*\n)*?c(.+)$/m.exec(lsof) ?? [];
  if (pid && command) return processHolder(command, pid);

  const ss = await ask('ss', '-Hltnp', `sport = :${port}`);
  const [, ssCommand, ssPid] = /users:\(\("([^"]+)",pid=(\d+)/.exec(ss) ?? [];
  return ssCommand && ssPid ? processHolder(ssCommand, ssPid) : undefined;
}

function processHolder(command: string, pid: string): Holder {
  return { who: `${command} (process ${pid})`, stop: 'Stop it' };
}

/** Nothing where the program is missing, fails or hangs: then the next one is asked. */
async function outputOf(exec: Exec, command: [string, ...string[]]): Promise<string> {
  try {
    return (await exec(command, { nothrow: true, timeout: 10_000 })).stdout;
  } catch (error) {
    if (error instanceof CommandError) return '';
    throw error;
  }
}
