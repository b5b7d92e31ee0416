import { setTimeout as sleep } from 'node:timers/promises';
import type { Invocation } from '../config/config.ts';
import { UsageError } from '../lib/errors.ts';
import { lock } from '../lib/lock.ts';

/** Seconds: an `up` on a slow line takes that long. */
const defaultTimeoutSeconds = 1800;

/**
 * Milliseconds until what a killed command began has come to rest: Docker goes on making a container whose client is gone,
 * and nobody can be asked whether it does.
 */
const settleMs = 1000;

/** Where the lock lies: beside the cluster's folder, not in it, for that is deleted together with the cluster. */
function lockFile({ stateDir }: Invocation['config']): string {
  return `${stateDir}.lock`;
}

interface ClusterLockOptions {
  /** The name of the command, for one that has to wait. */
  name: string;
  /** Seconds to wait for another command; 0 fails at once. */
  seconds: number;
  signal: AbortSignal;
  /** Tells for whom it waits, and whose work it takes up. */
  say: (text: string) => void;
}

/**
 * Lets one command at a time change this cluster, the next one waits and says for whom. Returns how to unlock it.
 * Throws a `UsageError` naming the other where that takes longer than --timeout, or at once with --no-wait.
 */
export function lockCluster({ config, flags, signal, progressStream }: Invocation, name: string) {
  const seconds = flags['no-wait'] ? 0 : typeof flags.timeout === 'number' ? flags.timeout : defaultTimeoutSeconds;
  return lockForCommand(config, { name, seconds, signal, say: (text) => void progressStream.write(`${text}\n`) });
}

/** The same for what works on a command's behalf. */
export async function lockForCommand(config: Invocation['config'], { name, seconds, signal, say }: ClusterLockOptions) {
  let killed: string | undefined;
  try {
    const unlock = await lock(lockFile(config), {
      what: `the cluster ${config.clusterName}`,
      command: `npm run ${name}`,
      patience: seconds * 1000,
      signal,
      onWait: (holder) => say(`Waiting for ${holder.replace(/^Another/, 'another')} to be done with the cluster.`),
      onTakeOver: (holder) => {
        killed = holder;
      },
    });
    if (killed !== undefined) {
      say(`${killed} was killed: its work is taken up.`);
      await sleep(settleMs, undefined, { signal }).catch(() => {});
    }
    return unlock;
  } catch (error) {
    if (!(error instanceof UsageError) || seconds === 0) throw error;
    throw new UsageError(`Timed out after ${seconds} s: ${error.message}`, error.hint);
  }
}
