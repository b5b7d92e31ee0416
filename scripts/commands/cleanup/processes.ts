import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../../images/context.ts';
import type { CleanupItem } from './items.ts';

/** What takes over processes whose parent is gone. */
const adopter = /(^|\/)(systemd --user|tini|dumb-init|docker-init|launchd)\b/;

/** A line of `ps`. */
interface Process {
  pid: number;
  parent: number;
  terminal: string;
  command: string;
}

/**
 * Children of commands of ours that were killed, and that nobody was left to end: they name our kubeconfig, our node or
 * our cluster, and have lost their parent. What a person runs on the cluster has a terminal or a parent.
 */
export async function orphanItems(context: Context): Promise<CleanupItem[]> {
  const all = await listProcesses(context);
  const commandOf = new Map(all.map(({ pid, command }) => [pid, command]));
  const { kubeconfig, node, config } = context;
  const word = (text: string) => new RegExp(`(^|\\s)${escaped(text)}(\\s|$)`);
  const patterns = [word(node), word(`--name ${config.clusterName}`), word(kubeconfig)];
  return all
    .filter(({ parent }) => parent === 1 || adopter.test(commandOf.get(parent) ?? ''))
    .filter(({ pid, terminal }) => pid !== process.pid && /^\?+$|^-$/.test(terminal))
    .filter(({ command }) => patterns.some((pattern) => pattern.test(command)))
    .map((one) => processItem(context, one));
}

/** A process that is told to end, and made to if it doesn't, unless it does so by itself within `patience` milliseconds. */
function processItem(
  context: Context,
  { pid, command }: Process,
  name = command.slice(0, 60),
  patience = 0,
): CleanupItem {
  const isThere = async () => (await listProcesses(context)).some((one) => one.pid === pid && one.command === command);
  return {
    kind: 'process',
    name: `${pid} (${name})`,
    isThere,
    async remove() {
      const deadline = performance.now() + patience;
      while (performance.now() < deadline && (await isThere())) await sleep(50);
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        if (!(await isThere())) return;
        process.kill(pid, signal);
        for (let looks = 0; looks < 20 && (await isThere()); looks += 1) await sleep(50);
      }
    },
  };
}

/** What runs on this machine. Empty where `ps` can't tell. */
async function listProcesses({ exec }: Context): Promise<Process[]> {
  const columns = ['-o', 'pid=', '-o', 'ppid=', '-o', 'tty=', '-o', 'args='];
  const { stdout } = await exec(['ps', '-A', '-ww', ...columns], { nothrow: true, timeout: 10_000 });
  return stdout.split('\n').flatMap((line) => {
    const [, pid, parent, terminal, command] = line.match(/^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/) ?? [];
    return command === undefined
      ? []
      : [{ pid: Number(pid), parent: Number(parent), terminal: terminal ?? '', command }];
  });
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Milliseconds in which `npm run forward` notices that its cluster is gone, and ends with a sentence that says so. */
const forwardEndMs = 5000;

/**
 * Each `npm run forward` of this cluster, known by a port-forward that it started with our kubeconfig. It belongs behind
 * the cluster, with whose end it ends by itself. A person's own port-forward ends with its connection.
 */
export async function forwardItems(context: Context): Promise<CleanupItem[]> {
  const all = await listProcesses(context);
  const ours = ` --kubeconfig ${context.kubeconfig} `;
  const parents = new Set(
    all.filter(({ command }) => command.includes(ours) && / port-forward /.test(command)).map(({ parent }) => parent),
  );
  return all
    .filter(({ pid, command }) => parents.has(pid) && /\bplatform(\.mjs)? (port-)?forward\b/.test(command))
    .map((one) => processItem(context, one, 'npm run forward', forwardEndMs));
}
