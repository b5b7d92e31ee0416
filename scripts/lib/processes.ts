import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { constants, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { delimiter, resolve } from 'node:path';
import type { Writable } from 'node:stream';

/** Milliseconds that a child has to end in its own way, once it was told to. */
const graceMs = 5000;
/** Groups of children that run, each led by the child whose number it bears. */
const groups = new Set<number>();
let watcher: ChildProcess | undefined;

/**
 * Runs beside us in a session of its own and is told of each group that comes and goes. Its standard input ends when we
 * do, however that happens: what is left then, as after `kill -9`, it ends. sh and a pipe are on every system; a death
 * signal (prctl) is on Linux alone.
 */
const watcherScript = `trap '' HUP INT TERM
groups=
while read -r sign group; do
  if [ "$sign" = + ]; then groups="$groups $group"; continue; fi
  rest=
  for one in $groups; do [ "$one" = "$group" ] || rest="$rest $one"; done
  groups=$rest
done
[ -n "$groups" ] || exit 0
for one in $groups; do kill -s TERM -- "-$one"; done
for look in 1 2 3 4 5 6 7 8 9 10; do
  left=
  for one in $groups; do kill -s 0 -- "-$one" && left=yes; done
  [ -n "$left" ] || exit 0
  sleep 0.2
done
for one in $groups; do kill -s KILL -- "-$one"; done`;

/** The number of the group that a child leads: what of it goes on in another, as an agent that a tool started, is the user's. */
export const groupVariable = 'PLATFORM_OPS_STARTED_IN';

/**
 * What a child's shell does before it becomes the program: it waits at descriptor 3 for the word that the watcher knows of
 * it, and ends if we end before. Without it `kill -9` right after a start left a child of which nothing knew.
 */
export const startGate = `read -r word <&3 || exit 1; exec 3<&-; export ${groupVariable}=$$; `;

/** Arguments of /bin/sh with which it waits for the word and then becomes this program; it ends with 127 where there is none. */
export function gatedArguments(command: readonly string[]): string[] {
  return ['-c', `${startGate}exec "$@"`, 'sh', ...command];
}

/**
 * Takes charge of a child that leads a process group of its own (`detached`) and waits at a pipe, its descriptor 3, for the
 * word to go on: when the signal fires, the whole group is told to end, and made to if it doesn't. No child outlives this
 * process, not even where that is killed.
 */
export function superviseChild(child: ChildProcess, signal: AbortSignal): void {
  const group = child.pid;
  // It could not be started, which it says by itself.
  if (group === undefined) return;
  groups.add(group);
  tell(`+ ${group}`);
  const word = child.stdio[3] as Writable;
  word.on('error', () => {});
  word.end('known\n');
  let force: NodeJS.Timeout | undefined;
  const end = () => {
    sendSignal(-group, 'SIGTERM');
    force = setTimeout(() => sendSignal(-group, 'SIGKILL'), graceMs);
  };
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  child.once('close', () => {
    clearTimeout(force);
    signal.removeEventListener('abort', end);
    groups.delete(group);
    tell(`- ${group}`);
  });
}

function tell(line: string): void {
  watcher ??= startWatcher();
  watcher.stdin?.write(`${line}\n`);
}

function startWatcher(): ChildProcess {
  process.once('exit', () => {
    for (const group of groups) sendSignal(-group, 'SIGKILL');
  });
  const options = { detached: true, env: { PATH: '/usr/bin:/bin' }, stdio: ['pipe', 'ignore', 'ignore'] as const };
  const started = spawn('/bin/sh', ['-c', watcherScript], { ...options, stdio: [...options.stdio] });
  // Somebody who ends it takes a safety net away, and nothing else.
  started.on('error', () => {});
  started.stdin?.on('error', () => {});
  started.unref();
  (started.stdin as unknown as { unref?(): void } | null)?.unref?.();
  return started;
}

/** Sends a signal to a process, or to a group, by its negative number; one that is gone needs none. */
export function sendSignal(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    // Gone already, or (on macOS) about to be.
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/**
 * When a process started, as a text to compare: two processes that had the same number, before and after a reboot, say,
 * differ in it. Undefined where the process is gone or the system can't tell. Linux: field 22 of /proc/PID/stat counts
 * from the boot (proc_pid_stat(5)), so the boot's own id belongs to it; elsewhere `ps` is asked.
 */
export function processStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = statFields(stat);
    // Killed, while a parent that never asks for it, as process 1 of many containers, keeps its number: no start is like this.
    if (fields[0] === 'Z') return 'ended';
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`;
  } catch {
    if (process.platform === 'linux') return undefined;
  }
  return ps('-o', 'lstart=', '-p', String(pid)).trim() || undefined;
}

/** The fields of /proc/PID/stat from the third one on. */
function statFields(stat: string): string[] {
  // The second field is the name in parentheses, which may hold blanks and parentheses itself.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function ps(...args: string[]): string {
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
  return spawnSync('ps', args, { env, encoding: 'utf8', timeout: 5000, maxBuffer: 100_000_000 }).stdout ?? '';
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
  const now = start === undefined ? undefined : processStartTime(pid);
  return now === undefined || now === start;
}

/** A process, and what it was started with. */
export interface Process {
  pid: number;
  /** As `processStartTime` tells it. */
  start: string | undefined;
  /** The number of its process group. */
  group: number;
  command: string;
  /** The values of the variables that were asked for, in their order. */
  variables: string[];
}

/**
 * The processes of this user, and of this container, that were started with all of these variables.
 * Linux: /proc/PID/environ (proc_pid_environ(5)). On macOS `ps -E` shows the environment behind the arguments; it hides that of
 * the system's own programs, which therefore are not found.
 */
export function processesWith(names: readonly string[]): Process[] {
  return (process.platform === 'linux' ? fromProc(names) : fromPs(names)).flatMap(({ variables, ...found }) =>
    variables.every((value) => value !== undefined)
      ? [{ ...found, variables, start: processStartTime(found.pid) }]
      : [],
  );
}

type Seen = { pid: number; group: number; command: string; variables: (string | undefined)[] };

function fromProc(names: readonly string[]): Seen[] {
  const namespace = readlinkSync('/proc/self/ns/pid');
  return readdirSync('/proc').flatMap((pid) => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      if (readlinkSync(`/proc/${pid}/ns/pid`) !== namespace) return [];
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      const variables = names.map((name) =>
        environment.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1),
      );
      const group = Number(statFields(readFileSync(`/proc/${pid}/stat`, 'utf8'))[2]);
      return [{ pid: Number(pid), group, command, variables }];
    } catch {
      // No process, gone meanwhile, or of another user.
      return [];
    }
  });
}

function fromPs(names: readonly string[]): Seen[] {
  return ps('-A', '-E', '-ww', '-o', 'pid=', '-o', 'pgid=', '-o', 'command=')
    .split('\n')
    .flatMap((line) => {
      const [, pid, group, command = ''] = /^\s*(\d+)\s+(\d+) (.*)$/.exec(line) ?? [];
      const variables = names.map((name) => new RegExp(` ${name}=(.*?)(?= [A-Za-z_]\\w*=|$)`).exec(command)?.[1]);
      return pid === undefined ? [] : [{ pid: Number(pid), group: Number(group), command, variables }];
    });
}

/** Every program of that name on the PATH, as absolute paths in the PATH's order, each one once. */
export async function programsOnPath(name: string, path: string): Promise<string[]> {
  const found = new Map<string, string>();
  // An empty entry means the current folder: a program of a folder that someone happens to stand in is not trusted.
  for (const folder of path.split(delimiter).filter((entry) => entry !== '')) {
    const program = resolve(folder, name);
    try {
      await access(program, constants.X_OK);
      const real = await realpath(program);
      if ((await stat(real)).isFile() && !found.has(real)) found.set(real, program);
    } catch {
      // Not there, or not for us.
    }
  }
  return [...found.values()];
}
