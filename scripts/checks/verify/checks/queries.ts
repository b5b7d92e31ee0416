import { ApiError } from '../../../kubernetes/api/api.ts';
import { UserError } from '../../../lib/errors.ts';
import { limitConcurrency } from '../../../lib/tasks.ts';
import { hasData, type PanelQuery, panelQueriesOf } from '../../../repository/dashboards/queries.ts';
import { type Check, count, type Finding } from '../check.ts';
import type { Live } from '../live.ts';
import { neverAnswered } from '../selectors.ts';

/** Queries that Prometheus is asked at the same time. */
const atOnce = 6;

/** Whether each panel has something to show, as Grafana has it now. */
export const queries: Check = {
  name: 'queries',
  title: 'every panel has data',
  async run(live) {
    const [dashboards, allowed] = await Promise.all([shownDashboards(live), live.allowedEmpty()]);
    const exempt = new Set(allowed.panels.map(({ dashboard, panel }) => `${dashboard} ${panel}`));
    const questions = dashboards.flatMap((json) => panelQueriesOf(json));
    const limited = limitConcurrency(atOnce);
    const findings = await Promise.all(
      questions.map((question) =>
        limited(() => lookAtQuery(live, question, exempt.has(`${question.dashboard} ${question.panel}`))),
      ),
    );
    const panels = new Set(questions.map(({ dashboard, panel }) => `${dashboard} ${panel}`));
    const detail = `${count(questions.length, 'query').replace(/ys$/, 'ies')} of ${count(panels.size, 'panel')}, ${exempt.size} may be empty`;
    return { findings: findings.flat(), detail };
  },
};

/** Those that Grafana shows; where it can't be asked, which another check says, those of this checkout. */
async function shownDashboards(live: Live): Promise<unknown[]> {
  try {
    const listed = await live.grafana.dashboards();
    return await Promise.all(listed.map(({ uid }) => live.grafana.dashboard(uid)));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [...(await live.dashboards()).values()];
  }
}

async function lookAtQuery(live: Live, question: PanelQuery, mayBeEmpty: boolean): Promise<Finding[]> {
  const { dashboard, panel, expr } = question;
  const where = `The panel "${panel}" of ${dashboard}`;
  const remedy = `Correct the query in observability/grafana/dashboards/${dashboard}.json; npm run validate -- queries knows the metrics. Or say in allowed-empty.yaml why it may be empty.`;
  try {
    const result = await live.prometheus.query(expr);
    if (hasData({ data: { result } })) return [];
    const why = mayBeEmpty ? await neverAnswered(live, expr) : `${expr.replaceAll(/\s+/g, ' ')} has no data`;
    return why === undefined ? [] : [{ message: `${where} shows nothing: ${why}.`, remedy }];
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 400) throw error;
    return [
      { message: `${where} asks what Prometheus can't read: ${reasonIn(error.message)}.`, remedy, lasting: true },
    ];
  }
}

/** Prometheus' own words, which come as JSON. */
function reasonIn(message: string): string {
  return /"error":"((?:[^"\\]|\\.)*)"/.exec(message)?.[1]?.replaceAll('\\"', '"') ?? message;
}
