import { availableParallelism } from 'node:os';
import type { Context } from '../../images/context.ts';
import { ExitCode, UserError } from '../../lib/errors.ts';
import { limitConcurrency } from '../../lib/tasks.ts';
import { type Finding, mergeFindings, type Tools } from '../../repository/rendering/finding.ts';
import type { Repository, ValidationCheck } from '../../repository/rendering/repository.ts';
import { validateApplications } from './applications.ts';
import { validateCharts, validateFiles } from './charts.ts';
import { validateDashboards } from './dashboards/dashboards.ts';
import { validateKubeScore } from './kube-score.ts';
import { validatePolicy } from './objects/policy.ts';
import { validateReferences } from './objects/references.ts';
import { validatePrometheus } from './prometheus/prometheus.ts';
import { validateQueries } from './prometheus/queries.ts';
import { validatePromotion } from './promotion.ts';
import { validateReleases } from './releases.ts';
import { validateSchemas } from './schemas.ts';
import { validateValues } from './values.ts';

/** What came of a check. */
export interface ValidationResult {
  check: ValidationCheck;
  findings: Finding[];
  seconds: number;
  /** Why it could not be run, and what to do about that. */
  notChecked?: { reason: string; remedy: string };
}

/** Runs the checks side by side: they wait for the same renderings. Their outcomes come in the checks' order. */
export function runValidation(
  checks: readonly ValidationCheck[],
  repository: Repository,
  tools: Tools,
): Promise<ValidationResult[]> {
  return Promise.all(checks.map((check) => runCheck(check, repository, tools)));
}

async function runCheck(check: ValidationCheck, repository: Repository, tools: Tools): Promise<ValidationResult> {
  const started = performance.now();
  const outcome = (findings: Finding[]): ValidationResult => ({
    check,
    findings,
    seconds: (performance.now() - started) / 1000,
  });
  try {
    return outcome(mergeFindings(await check.run(repository, tools)));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { ...outcome([]), notChecked: { reason: error.message, remedy: error.hint ?? 'npm run doctor' } };
  }
}

/** 0 if all was checked and nothing found, 1 if something was found, 2 if only something could not be checked. */
export function validationExitCode(outcomes: readonly ValidationResult[]): ExitCode {
  if (outcomes.some(({ findings }) => findings.length > 0)) return ExitCode.failed;
  return outcomes.some(({ notChecked }) => notChecked !== undefined) ? ExitCode.usage : ExitCode.done;
}

/** Applies the mechanical remedies, one after the other. Returns the findings that had one. */
export async function applyFixes(outcomes: readonly ValidationResult[]): Promise<Finding[]> {
  const fixable = mergeFindings(outcomes.flatMap(({ findings }) => findings)).filter(({ fix }) => fix !== undefined);
  for (const { fix } of fixable) await fix?.();
  return fixable;
}

/** Every check, in the order in which they are reported. */
export const validationChecks: readonly ValidationCheck[] = [
  validateFiles,
  validateCharts,
  validateReleases,
  validateSchemas,
  validatePolicy,
  validateKubeScore,
  validateReferences,
  validateApplications,
  validatePromotion,
  validateValues,
  validatePrometheus,
  validateDashboards,
  validateQueries,
];

/**
 * How the checks run other programs: as many at once as there are processors. A hundred charts take a thousand runs of helm
 * and kube-score: hundreds at the same time share the processors, and the minute that each is given is over before it is done.
 */
export function limitedTools(
  { exec, toolbox }: Pick<Context, 'exec' | 'toolbox'>,
  count = availableParallelism(),
): Tools {
  const inTurn = limitConcurrency(count);
  return {
    exec: (command, options) => inTurn(() => exec(command, options)),
    find: (name) => toolbox.find(name),
  };
}
