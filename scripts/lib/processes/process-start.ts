import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * When a process started, as a text to compare: two processes that had the same number, before and after a reboot, say,
 * differ in it. Undefined where the process is gone or the system can't tell. Linux: field 22 of /proc/PID/stat counts
 * from the boot (proc_pid_stat(5)), so the boot's own id belongs to it; elsewhere `ps` is asked.
 */
export function startOfProcess(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in parentheses, which may hold blanks and parentheses itself.
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${ticks}`;
  } catch {
    if (process.platform === 'linux') return undefined;
  }
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
  const shown = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { env, encoding: 'utf8', timeout: 5000 });
  return shown.stdout?.trim() || undefined;
}

/** Whether a process of that number runs, and is the one that started then, if that is known. */
export function isRunning(pid: number, start: string | undefined): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // It runs, but belongs to another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = start === undefined ? undefined : startOfProcess(pid);
  return now === undefined || now === start;
}
