import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import type { StatusReport } from '../../scripts/checks/status.ts';

/** The schema of what `npm run -s status -- --json` prints. */
export const statusSchema = JSON.parse(
  readFileSync(new URL('../../docs/status.schema.json', import.meta.url), 'utf8'),
) as Record<string, unknown>;

const validate = new Ajv({ allErrors: true, strict: true, strictRequired: false, allowUnionTypes: true }).compile(
  statusSchema,
);

/** What is wrong with a report by the schema; nothing where all is well. */
export function faultsOf(report: unknown): string[] {
  return validate(report)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

/** Reads what status printed. Throws where the schema says something else. */
export function reportIn(stdout: string): StatusReport {
  const report = JSON.parse(stdout) as StatusReport;
  const faults = faultsOf(report);
  if (faults.length > 0) throw new Error(`not as docs/status.schema.json says:\n${faults.join('\n')}\n${stdout}`);
  return report;
}
