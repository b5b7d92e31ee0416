import { spawnSync } from 'node:child_process';

/** A process and all that it started, whatever groups they are in, the oldest first. */
export function family(pid: number): number[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  const parents = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  const found = [pid];
  for (const one of found) for (const [child, parent] of parents) if (parent === one && child) found.push(child);
  return found;
}

/** Sends a signal to each; one that is gone by now is passed over. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** The processes whose command line names the text, but for the one that asks. */
export function naming(text: string): string[] {
  const { stdout } = spawnSync('ps', ['-A', '-ww', '-o', 'pid=,args='], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line.includes(text) && !line.trimStart().startsWith(`${process.pid} `));
}
