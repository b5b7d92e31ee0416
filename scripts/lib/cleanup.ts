import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { findExisting, isMissing } from './docker/containers.ts';
import { Interrupted, messageOf, UserError } from './errors.ts';
import type { Exec } from './exec.ts';
import { probePort } from './ports.ts';
import { isRunning, type Process, sendSignal } from './processes.ts';

/** Something that the platform brought to this machine, and that `down` removes and looks for afterwards. */
export interface CleanupItem {
  kind: 'process' | 'container' | 'volume' | 'network' | 'port' | 'file' | 'image' | 'trust';
  /** As you read it. */
  name: string;
  /** None for what goes together with another item. Throws a `UserError` with the reason where it fails. */
  remove?(): Promise<void>;
  isThere(): Promise<boolean>;
}

/** What was found, in the order in which it has to go, and what there is to know of what stays. */
export interface CleanupItems {
  items: CleanupItem[];
  notes: string[];
}

/** What is there all the same after it was removed, and why, where that is known. */
export interface Leftover {
  item: CleanupItem;
  reason: string | undefined;
}

/**
 * Removes the items one after the other, and then looks at each, and again for others. One that fails does not keep the
 * rest from being removed.
 * @returns what is left.
 * @throws `Interrupted`, or what `findAgain` throws.
 */
export async function removeItems(
  items: readonly CleanupItem[],
  findAgain: () => Promise<readonly CleanupItem[]>,
  signal: AbortSignal,
): Promise<Leftover[]> {
  const reasons = new Map<string, string>();
  for (const item of items) {
    if (signal.aborted) throw new Interrupted();
    try {
      await item.remove?.();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      reasons.set(keyOf(item), error.hint === undefined ? messageOf(error) : `${messageOf(error)} → ${error.hint}`);
    }
  }
  const there = await Promise.all(items.map((item) => item.isThere()));
  const known = new Set(items.map(keyOf));
  const others = (await findAgain()).filter((item) => !known.has(keyOf(item)));
  return [...items.filter((_, index) => there[index]), ...others].map((item) => ({
    item,
    reason: reasons.get(keyOf(item)),
  }));
}

function keyOf({ kind, name }: Pick<CleanupItem, 'kind' | 'name'>): string {
  return `${kind} ${name}`;
}

/** @returns a folder that exists, as a list of one item. */
export function folderItems(path: string, name: string): CleanupItem[] {
  const isThere = async () => existsSync(path);
  const remove = () =>
    rm(path, { recursive: true, force: true, maxRetries: 3 }).catch((cause: unknown) => {
      throw new UserError(messageOf(cause), { hint: `rm -r "${path}"`, cause });
    });
  return existsSync(path) ? [{ kind: 'file', name, remove, isThere }] : [];
}

/** A thing of Docker's, removed by its own command unless `remove` is given. */
export function dockerItem(
  exec: Exec,
  kind: 'container' | 'volume' | 'network' | 'image',
  name: string,
  remove = async () => {
    const { exitCode, stderr } = await exec(['docker', kind, 'rm', name], { nothrow: true, timeout: 60_000 });
    if (exitCode === 0 || isMissing(stderr)) return;
    throw new UserError(stderr.trim().split('\n').at(-1) ?? 'Docker gave no reason', {
      hint: `docker ${kind} rm ${name}`,
    });
  },
): CleanupItem {
  const isThere = async () => (await findExisting(exec, kind, [name])).length > 0;
  return { kind, name: kind === 'volume' ? name.slice(0, 12) : name, remove, isThere };
}

/** Milliseconds that a port may stay taken after the container that published it is gone. */
const portReleaseMs = 3000;

/** A port of this machine, which is free once the container that publishes it is gone. */
export function portItem(port: number): CleanupItem {
  return {
    kind: 'port',
    name: `127.0.0.1:${port}`,
    async isThere() {
      for (const deadline = performance.now() + portReleaseMs; performance.now() < deadline; await sleep(100)) {
        if ((await probePort(port)) !== 'taken') return false;
      }
      return true;
    },
  };
}

/** A process that is told to end, and made to if it doesn't, unless it does so by itself within `patience` milliseconds. */
export function processItem({ pid, start }: Pick<Process, 'pid' | 'start'>, name: string, patience = 0): CleanupItem {
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
