import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted, UserError } from '../../lib/errors.ts';
import { capitalized } from '../../lib/text.ts';
import { verifyCapacity } from './capacity.ts';
import type { CheckResult, VerificationCheck, VerificationFinding } from './check.ts';
import { verifyGrafana, verifyQueries } from './grafana.ts';
import type { LiveCluster } from './live.ts';
import { verifyDiscovery, verifyPrometheus } from './prometheus.ts';
import { verifyRules } from './rules.ts';
import { verifyJobs, verifyLabels, verifyServices, verifyTargets } from './targets.ts';
import { verifyTraffic } from './traffic.ts';

/**
 * Every check, cause before effect: without pods there are no targets, without targets no numbers, without numbers nothing
 * to show. So the first that finds something names the cause.
 */
export const verificationChecks: readonly VerificationCheck[] = [
  verifyServices,
  verifyPrometheus,
  verifyDiscovery,
  verifyTargets,
  verifyLabels,
  verifyJobs,
  verifyTraffic,
  verifyRules,
  verifyGrafana,
  verifyQueries,
  verifyCapacity,
];

/** What came of a check. */
interface VerificationResult {
  check: VerificationCheck;
  findings: VerificationFinding[];
  detail: string;
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
  { timeoutMs, signal, intervalMs = 1000 }: VerificationOptions,
): Promise<VerificationResult[]> {
  const started = performance.now();
  const failed = new Set<number>();
  const one = async (check: VerificationCheck, index: number): Promise<VerificationResult> => {
    const isLate = () => performance.now() - started >= timeoutMs;
    const worthIt = () => !signal.aborted && !isLate() && ![...failed].some((before) => before < index);
    for (;;) {
      const { findings: found, detail } = await runOnce(check, live, worthIt);
      const findings = found.filter((finding) => finding !== undefined);
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
    const finding = { message: capitalized(error.message), remedy: error.hint ?? 'npm run doctor' };
    return { findings: [finding], detail: 'could not be looked at' };
  }
}

/** The first thing that is wrong: what else was found may be no more than what follows from it. */
export function firstCause(outcomes: readonly VerificationResult[]): VerificationFinding | undefined {
  return outcomes.flatMap(({ findings }) => findings)[0];
}

/** Findings of one check that are shown before it is only said how many there are. */
const maxFindings = 5;

/** The outcomes as text: a line for each check, what was found below it, and the first cause at the end. */
export function formatVerification(outcomes: readonly VerificationResult[]): string {
  const width = Math.max(...outcomes.map(({ check }) => check.title.length));
  const cause = firstCause(outcomes);
  const lines = outcomes.flatMap(({ check, findings, detail, seconds, cutShort }) => {
    const [sign, what] = cutShort
      ? ['!', 'not waited for, since there is a cause above']
      : [findings.length === 0 ? '✔' : '✖', detail];
    const shown = cutShort ? [] : findings.map(({ message }) => `    ${message}`);
    const more = shown.length > maxFindings ? [`    and ${shown.length - maxFindings} more`] : [];
    const head = `${sign} ${check.title.padEnd(width)} ${`${seconds.toFixed(1)} s`.padStart(7)}  ${what}`;
    return [head, ...shown.slice(0, maxFindings), ...more];
  });
  const end = cause ? [`✖ First cause: ${cause.message}`, `  → ${cause.remedy}`] : ['All is as promised.'];
  return [...lines, '', ...end].join('\n');
}

/** The same for a program. */
export function verificationJson(outcomes: readonly VerificationResult[]): string {
  const cause = firstCause(outcomes);
  const bare = ({ message, remedy }: VerificationFinding) => ({ message, remedy });
  const checks = outcomes.map(({ check: { name, title }, findings, detail, seconds, cutShort }) => ({
    check: name,
    title,
    ok: findings.length === 0,
    ...(cutShort && { cutShort }),
    detail,
    seconds: Number(seconds.toFixed(3)),
    findings: findings.map(bare),
  }));
  return JSON.stringify({ ok: !cause, ...(cause && { firstCause: bare(cause) }), checks }, undefined, 2);
}
