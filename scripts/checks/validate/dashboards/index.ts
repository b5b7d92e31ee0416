import { type DashboardFile, dashboardFiles } from '../../../repository/dashboards/dashboard.ts';
import type { Finding, ValidationCheck } from '../../../repository/rendering/finding.ts';
import { allowedEmptyRules, checkAllowedEmpty } from './allowed-empty.ts';
import { boardRules, checkBoard } from './board.ts';
import { checkIntervals, dataSourceRules, dataSourceUids } from './data-sources.ts';
import { checkPanels, panelRules } from './panels.ts';

/** Whether Grafana can show the dashboards, and a person can read them. What the panels ask for is `queries`. */
export const dashboards: ValidationCheck = {
  name: 'dashboards',
  title: 'dashboards are complete',
  rules: { ...boardRules, ...panelRules, ...dataSourceRules, ...allowedEmptyRules },
  async run(repository) {
    const files = await dashboardFiles(repository);
    const uids = await dataSourceUids(repository);
    const found = files.flatMap((file) =>
      file.fault ? [unreadable(file)] : [...checkBoard(repository.root, file, files, uids), ...checkPanels(file, uids)],
    );
    return [...found, ...(await checkIntervals(repository)), ...(await checkAllowedEmpty(repository, files))];
  },
};

function unreadable({ embedded, fault }: DashboardFile): Finding {
  return {
    rule: 'dashboard-json',
    file: embedded.file,
    ...(fault?.line !== undefined && { line: fault.line }),
    message: `${embedded.key} is not valid JSON: ${fault?.message}.`,
    remedy: 'Correct the line, or export the dashboard from Grafana again.',
  };
}
