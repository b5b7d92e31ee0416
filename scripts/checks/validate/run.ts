import { ExitCode, UsageError } from '../../lib/errors.ts';
import { type Finding, mergeFindings, type Tools, type ValidationCheck } from '../../repository/rendering/finding.ts';
import type { Repository } from '../../repository/rendering/repository.ts';

/** What came of a check. */
export interface Outcome {
  check: ValidationCheck;
  findings: Finding[];
  seconds: number;
  /** Why it could not be run, and what to do about that. */
  notChecked?: { reason: string; remedy: string };
}

/** Runs the checks side by side: they wait for the same renderings. Their outcomes come in the checks' order. */
export function runChecks(
  checks: readonly ValidationCheck[],
  repository: Repository,
  tools: Tools,
): Promise<Outcome[]> {
  return Promise.all(checks.map((check) => runCheck(check, repository, tools)));
}

async function runCheck(check: ValidationCheck, repository: Repository, tools: Tools): Promise<Outcome> {
  const started = performance.now();
  const outcome = (findings: Finding[]): Outcome => ({
    check,
    findings,
    seconds: (performance.now() - started) / 1000,
  });
  try {
    return outcome(mergeFindings(await check.run(repository, tools)));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { ...outcome([]), notChecked: { reason: error.message, remedy: error.hint ?? 'npm run doctor' } };
  }
}

/** 0 if all was checked and nothing found, 1 if something was found, 2 if only something could not be checked. */
export function exitCodeOf(outcomes: readonly Outcome[]): ExitCode {
  if (outcomes.some(({ findings }) => findings.length > 0)) return ExitCode.failed;
  return outcomes.some(({ notChecked }) => notChecked !== undefined) ? ExitCode.usage : ExitCode.done;
}

/** Applies the mechanical remedies, one after the other. Hands back the findings that had one. */
export async function applyFixes(outcomes: readonly Outcome[]): Promise<Finding[]> {
  const fixable = mergeFindings(outcomes.flatMap(({ findings }) => findings)).filter(({ fix }) => fix !== undefined);
  for (const { fix } of fixable) await fix?.();
  return fixable;
}
