import type { DashboardFile } from '../../../repository/dashboards/dashboard.ts';
import type { Finding } from '../../../repository/rendering/finding.ts';
import type { FieldPath } from '../../../repository/yaml.ts';

/** Collects what is wrong with one dashboard. `what` goes on behind `name`, and a full stop is put to it. */
export type Found = (rule: string, path: FieldPath, what: string, remedy: string, fix?: Finding['fix']) => void;

/** The findings of a dashboard, in the order in which they are found. */
export function collect(file: DashboardFile, look: (found: Found) => void): Finding[] {
  const findings: Finding[] = [];
  look((rule, path, what, remedy, fix) => {
    const line = file.line(path);
    const message = `${file.embedded.key}${what}.`;
    findings.push({
      rule,
      file: file.embedded.file,
      ...(line !== undefined && { line }),
      message,
      remedy,
      ...(fix && { fix }),
    });
  });
  return findings;
}
