import { counted } from './check.ts';
import { firstCause, type VerificationResult } from './run.ts';

/** Findings of one check that are shown before it is only said how many there are. */
const maxFindings = 5;

/** The outcomes as a person reads them: a line for each check, what was found below it, and the first cause at the end. */
export function formatVerification(outcomes: readonly VerificationResult[]): string {
  const width = Math.max(...outcomes.map(({ check }) => check.title.length));
  const cause = firstCause(outcomes);
  const end =
    cause === undefined ? ['All is as promised.'] : [`✖ First cause: ${cause.message}`, `  → ${cause.remedy}`];
  return [...outcomes.flatMap((outcome) => lines(outcome, width)), '', ...end].join('\n');
}

function lines({ check, findings, detail, seconds, cutShort }: VerificationResult, width: number): string[] {
  const head = (sign: string, what: string) =>
    `${sign} ${check.title.padEnd(width)} ${`${seconds.toFixed(1)} s`.padStart(7)}  ${what}`;
  if (cutShort) return [head('!', 'not waited for, since there is a cause above')];
  const more = findings.length - maxFindings;
  return [
    head(findings.length === 0 ? '✔' : '✖', detail),
    ...findings.slice(0, maxFindings).map(({ message }) => `    ${message}`),
    ...(more > 0 ? [`    and ${more} more`] : []),
  ];
}

/** The same for a program. */
export function verificationJson(outcomes: readonly VerificationResult[]): string {
  const cause = firstCause(outcomes);
  const checks = outcomes.map(({ check: { name, title }, findings, detail, seconds, cutShort }) => ({
    check: name,
    title,
    ok: findings.length === 0,
    ...(cutShort && { cutShort }),
    detail,
    seconds: Number(seconds.toFixed(3)),
    findings: findings.map(({ message, remedy }) => ({ message, remedy })),
  }));
  return JSON.stringify(
    { ok: cause === undefined, ...(cause && { firstCause: { message: cause.message, remedy: cause.remedy } }), checks },
    undefined,
    2,
  );
}

/** For the line on standard error while the checks wait. */
export function progressTitle(checks: number): string {
  return `looking at ${counted(checks, 'promise')}`;
}
