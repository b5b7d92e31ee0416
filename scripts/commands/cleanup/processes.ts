import { setTimeout as sleep } from 'node:timers/promises';
import { startedByVariable, startedForVariable } from '../../config/child-environment.ts';
import type { Config } from '../../config/config.ts';
import { groupVariable, isRunning, type Process, processesWith, sendSignal } from '../../lib/processes.ts';
import type { CleanupItem } from './items.ts';

/** A process that a command of the platform started for this cluster. */
interface Started extends Process {
  starter: { pid: number; start: string | undefined; command: string };
}

/**
 * Found by variables that only our children have: what a command line says is no evidence of whose a process is. An agent that a
 * tool started for the user, as gpg-agent or the master of an ssh connection, inherits them, and has left our group.
 */
function startedFor({ stateDir }: Pick<Config, 'stateDir'>): Started[] {
  return processesWith([startedForVariable, startedByVariable, groupVariable])
    .filter(({ group, variables: [folder, , ours] }) => folder === stateDir && Number(ours) === group)
    .map((found) => {
      const [pid, command = '', ...start] = (found.variables[1] ?? '').split(' ');
      return { ...found, starter: { pid: Number(pid), command, start: start.join(' ') || undefined } };
    });
}

/** What commands that were killed left behind: their children, and the children of those. */
export function orphanItems(config: Pick<Config, 'stateDir'>): CleanupItem[] {
  return startedFor(config)
    .filter(({ starter }) => !isRunning(starter.pid, starter.start))
    .map(({ pid, start, command }) => processItem({ pid, start }, command.slice(0, 60)));
}

/** Milliseconds in which `npm run port-forward` notices that its cluster is gone, and ends with a sentence that says so. */
const forwardEndMs = 5000;

/** Each `npm run port-forward` that leads to this cluster now. It belongs behind the cluster, with whose end it ends by itself. */
export function forwardItems(config: Pick<Config, 'stateDir'>): CleanupItem[] {
  const starters = new Map(startedFor(config).map(({ starter }) => [starter.pid, starter]));
  return [...starters.values()]
    .filter(({ pid, start, command }) => /^(port-)?forward$/.test(command) && isRunning(pid, start))
    .map((starter) => processItem(starter, 'npm run port-forward', forwardEndMs));
}

/** A process that is told to end, and made to if it doesn't, unless it does so by itself within `patience` milliseconds. */
function processItem(
  { pid, start }: { pid: number; start: string | undefined },
  name: string,
  patience = 0,
): CleanupItem {
  // Another process may have got the number since.
  const isThere = async () => isRunning(pid, start);
  const untilGone = async (milliseconds: number) => {
    for (const end = performance.now() + milliseconds; performance.now() < end && (await isThere()); ) await sleep(50);
  };
  return {
    kind: 'process',
    name: `${pid} (${name})`,
    isThere,
    async remove() {
      await untilGone(patience);
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        if (!(await isThere())) return;
        sendSignal(pid, signal);
        await untilGone(1000);
      }
    },
  };
}
