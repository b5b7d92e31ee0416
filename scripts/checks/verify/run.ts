import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted, UserError } from '../../lib/errors.ts';
import type { Check, Finding, Result } from './check.ts';
import type { Live } from './live.ts';

/** What came of a check. */
export interface Outcome extends Result {
  check: Check;
  seconds: number;
  /** It found something that might have passed, and was not waited for, because a check before it has failed. */
  cutShort: boolean;
}

export interface Options {
  /** Milliseconds to wait for what may pass by itself. */
  patience: number;
  signal: AbortSignal;
  /** Milliseconds between two looks. */
  every?: number;
}

/**
 * Runs the checks side by side. One that finds something looks again, until it finds nothing, or nothing that may pass, or
 * patience ends, or one that stands before it has failed: what follows from that need not be waited for. Their outcomes
 * come in the checks' order, so that the first finding is the first cause. Throws `Interrupted`, or a bug.
 */
export async function runChecks(checks: readonly Check[], live: Live, options: Options): Promise<Outcome[]> {
  const { patience, signal, every = 1000 } = options;
  const started = performance.now();
  const failed = new Set<number>();
  const one = async (check: Check, index: number): Promise<Outcome> => {
    const isLate = () => performance.now() - started >= patience;
    const worthIt = () => !signal.aborted && !isLate() && ![...failed].some((before) => before < index);
    for (;;) {
      const { findings, detail } = await look(check, live, worthIt);
      if (signal.aborted) throw new Interrupted();
      const stays = findings.some(({ lasting }) => lasting);
      if (findings.length === 0 || stays || !worthIt()) {
        if (findings.length > 0) failed.add(index);
        const cutShort = findings.length > 0 && !stays && !isLate();
        return { check, findings, detail, seconds: (performance.now() - started) / 1000, cutShort };
      }
      await sleep(every, undefined, { signal }).catch(() => {});
    }
  };
  return Promise.all(checks.map(one));
}

/** What makes looking impossible is a finding, too. */
async function look(check: Check, live: Live, worthIt: () => boolean): Promise<Result> {
  try {
    return await check.run(live, worthIt);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const message = `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}`;
    return { findings: [{ message, remedy: error.hint ?? 'npm run doctor' }], detail: 'could not be looked at' };
  }
}

/** The first thing that is wrong: what else was found may be no more than what follows from it. */
export function firstCause(outcomes: readonly Outcome[]): Finding | undefined {
  return outcomes.flatMap(({ findings }) => findings)[0];
}
