import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted, UserError } from '../../lib/errors.ts';
import { type VerificationCheckName, verificationCheckNames } from '../names.ts';
import type { CheckResult, VerificationCheck, VerificationFinding } from './check.ts';
import { verifyGrafana, verifyQueries } from './grafana.ts';
import type { LiveCluster } from './live.ts';
import { verifyCapacity, verifyDiscovery, verifyPrometheus } from './prometheus.ts';
import { verifyRules } from './rules.ts';
import { verifyJobs, verifyLabels, verifyServices, verifyTargets } from './targets.ts';
import { verifyTraffic } from './traffic.ts';

/** What came of a check. */
export interface VerificationResult extends CheckResult {
  check: VerificationCheck;
  seconds: number;
  /** It found something that might have passed, and was not waited for, because a check before it has failed. */
  cutShort: boolean;
}

interface VerificationOptions {
  /** Milliseconds to wait for what may pass by itself. */
  timeoutMs: number;
  signal: AbortSignal;
  /** Milliseconds between two looks. */
  intervalMs?: number;
}

/**
 * Runs the checks side by side. One that finds something looks again, until it finds nothing, or nothing that may pass, or
 * the timeout passes, or one that stands before it has failed: what follows from that need not be waited for. Their outcomes
 * come in the checks' order, so that the first finding is the first cause. Throws `Interrupted`, or a bug.
 */
export async function runVerification(
  checks: readonly VerificationCheck[],
  live: LiveCluster,
  options: VerificationOptions,
): Promise<VerificationResult[]> {
  const { timeoutMs, signal, intervalMs = 1000 } = options;
  const started = performance.now();
  const failed = new Set<number>();
  const one = async (check: VerificationCheck, index: number): Promise<VerificationResult> => {
    const isLate = () => performance.now() - started >= timeoutMs;
    const worthIt = () => !signal.aborted && !isLate() && ![...failed].some((before) => before < index);
    for (;;) {
      const { findings, detail } = await runOnce(check, live, worthIt);
      if (signal.aborted) throw new Interrupted();
      const stays = findings.some(({ lasting }) => lasting);
      if (findings.length === 0 || stays || !worthIt()) {
        if (findings.length > 0) failed.add(index);
        const cutShort = findings.length > 0 && !stays && !isLate();
        return { check, findings, detail, seconds: (performance.now() - started) / 1000, cutShort };
      }
      await sleep(intervalMs, undefined, { signal }).catch(() => {});
    }
  };
  return Promise.all(checks.map(one));
}

/** What makes looking impossible is a finding, too. */
async function runOnce(check: VerificationCheck, live: LiveCluster, worthIt: () => boolean): Promise<CheckResult> {
  try {
    return await check.run(live, worthIt);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const message = `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}`;
    return { findings: [{ message, remedy: error.hint ?? 'npm run doctor' }], detail: 'could not be looked at' };
  }
}

/** The first thing that is wrong: what else was found may be no more than what follows from it. */
export function firstCause(outcomes: readonly VerificationResult[]): VerificationFinding | undefined {
  return outcomes.flatMap(({ findings }) => findings)[0];
}

const checksByName: Record<VerificationCheckName, VerificationCheck> = {
  services: verifyServices,
  prometheus: verifyPrometheus,
  discovery: verifyDiscovery,
  targets: verifyTargets,
  labels: verifyLabels,
  jobs: verifyJobs,
  traffic: verifyTraffic,
  rules: verifyRules,
  grafana: verifyGrafana,
  queries: verifyQueries,
  capacity: verifyCapacity,
};

/** Every check, cause before effect. */
export const verificationChecks: readonly VerificationCheck[] = verificationCheckNames.map(
  (name) => checksByName[name],
);
