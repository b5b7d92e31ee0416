import { columns, counted } from '../../lib/text.ts';
import type { Finding } from '../../repository/rendering/finding.ts';
import type { ValidationCheck } from '../../repository/rendering/repository.ts';
import type { ValidationResult } from './run.ts';

/** The outcomes as text: a line for each check, and below it what was found. */
export function formatValidation(outcomes: readonly ValidationResult[]): string {
  const width = Math.max(...outcomes.map(({ check }) => check.title.length));
  return [...outcomes.map((outcome) => resultText(outcome, width)), '', summaryText(outcomes)].join('\n');
}

/** The same for a program. */
export function validationJson(outcomes: readonly ValidationResult[]): string {
  const checks = outcomes.map(({ check, findings, seconds, notChecked }) => ({
    check: check.name,
    title: check.title,
    seconds: Number(seconds.toFixed(3)),
    ...(notChecked && { notChecked }),
    findings: findings.map(({ fix, ...finding }) => ({ ...finding, fixable: fix !== undefined })),
  }));
  return JSON.stringify({ ok: outcomes.every(isClean), checks }, undefined, 2);
}

/** Every rule of the checks, with its sentence. */
export function ruleList(checks: readonly ValidationCheck[]): string {
  return checks
    .map(({ name, title, rules }) => [`${name}: ${title}`, ...columns(Object.entries(rules))].join('\n'))
    .join('\n\n');
}

/** A finding in two lines: where and what, and what to do. */
export function findingLines({ file, line, rule, message, renderings, remedy }: Finding): string[] {
  const place = line === undefined ? file : `${file}:${line}`;
  const values = renderings === undefined ? '' : ` (rendered with ${renderings.join(', ')})`;
  return [`  ${place}  ${rule}  ${message}${values}`, `    → ${remedy}`];
}

function resultText(outcome: ValidationResult, width: number): string {
  const { check, findings, seconds, notChecked } = outcome;
  const time = `${seconds.toFixed(1)} s`.padStart(7);
  const title = check.title.padEnd(width);
  if (notChecked)
    return [`! ${title}${time}  not checked: ${notChecked.reason}`, `    → ${notChecked.remedy}`].join('\n');
  if (isClean(outcome)) return `✔ ${title}${time}  ${counted(Object.keys(check.rules).length, 'rule')}`;
  return [`✖ ${title}${time}  ${counted(findings.length, 'finding')}`, ...findings.flatMap(findingLines)].join('\n');
}

function summaryText(outcomes: readonly ValidationResult[]): string {
  const findings = outcomes.flatMap((outcome) => outcome.findings);
  if (findings.length > 0) {
    const fixable = findings.filter(({ fix }) => fix !== undefined).length;
    return `${counted(findings.length, 'finding')}.${fixable === 0 ? '' : ` npm run validate -- --fix repairs ${fixable} of them.`}`;
  }
  const unchecked = outcomes.filter(({ notChecked }) => notChecked !== undefined).length;
  return unchecked === 0 ? 'All is well.' : `Nothing was found, but ${counted(unchecked, 'check')} could not be run.`;
}

function isClean({ findings, notChecked }: ValidationResult): boolean {
  return findings.length === 0 && notChecked === undefined;
}
