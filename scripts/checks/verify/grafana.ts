import { GrafanaPasswordRefused } from '../../components/grafana.ts';
import { monitoringParts } from '../../config/settings.ts';
import { ApiError } from '../../kubernetes/api/api.ts';
import { UserError } from '../../lib/errors.ts';
import { counted } from '../../lib/text.ts';
import { asDashboard, panelsOf, uidOf } from '../../repository/dashboards/dashboard.ts';
import { hasData, type PanelQuery, panelQueriesOf } from '../../repository/dashboards/queries.ts';
import type { CheckResult, VerificationCheck, VerificationFinding } from './check.ts';
import type { LiveCluster, Series } from './live.ts';
import { asksForAbsent, neverAnswered } from './rules.ts';

/** Data sources that Grafana has built in: https://grafana.com/docs/grafana/latest/datasources/#special-data-sources */
const builtIn = /^(grafana|-- (Grafana|Mixed|Dashboard) --)$/;

/** Whether Grafana lets its administrator in, has every dashboard of this checkout, and reaches the numbers. */
export const verifyGrafana: VerificationCheck = {
  name: 'grafana',
  title: 'Grafana has every dashboard and its data source',
  async run(live) {
    const status = await live.status('grafana');
    if (status.state !== 'ready') {
      const finding = { message: `Grafana is not there: ${status.missing}.`, remedy: 'npm run up' };
      return { findings: [finding], detail: 'could not be asked' };
    }
    try {
      return await checkGrafana(live);
    } catch (error) {
      if (!(error instanceof GrafanaPasswordRefused)) throw error;
      const finding = { message: error.message, remedy: error.hint ?? '', lasting: true as const };
      return { findings: [finding], detail: 'could not be asked' };
    }
  },
};

async function checkGrafana(live: LiveCluster): Promise<CheckResult> {
  const [wanted, listed] = await Promise.all([live.dashboards(), live.grafana.dashboards()]);
  const present = new Set(listed.map(({ uid }) => uid));
  const missing = [...wanted.keys()].filter((uid) => !present.has(uid));
  const users = await sourcesInUse(live, listed);
  const silent = await Promise.all([...users].map(([uid, titles]) => checkDataSource(live, uid, titles)));
  const findings = [
    ...missing.map((uid) => ({
      message: `Grafana does not have the dashboard ${uid}, which this checkout has.`,
      remedy: `npm run up; npm run dashboards says which of them differ.`,
    })),
    ...silent,
  ];
  return { findings, detail: `${counted(listed.length, 'dashboard')}, ${counted(users.size, 'data source')}` };
}

/** The uid of every data source that a panel of a dashboard in Grafana names, with the titles of those dashboards. */
async function sourcesInUse(
  live: LiveCluster,
  listed: readonly { uid: string; title: string }[],
): Promise<Map<string, string[]>> {
  const users = new Map<string, string[]>();
  const dashboards = await Promise.all(listed.map(({ uid }) => live.grafana.dashboard(uid)));
  for (const [index, json] of dashboards.entries()) {
    const { panels } = asDashboard(json);
    const sources = panelsOf(panels).flatMap(({ panel }) =>
      [panel, ...panel.targets].map((one) => uidOf(one.datasource)),
    );
    for (const uid of new Set(sources)) {
      if (uid === undefined || uid.startsWith('$') || builtIn.test(uid)) continue;
      users.set(uid, [...(users.get(uid) ?? []), listed[index]?.title ?? '']);
    }
  }
  return users;
}

/** Asks the data source as a panel does, through Grafana: that is what its health check does as well. */
async function checkDataSource(
  live: LiveCluster,
  uid: string,
  titles: readonly string[],
): Promise<VerificationFinding | undefined> {
  const who = `the ${counted(titles.length, 'dashboard')} ${titles.join(', ')}`;
  const path = '/api/v1/query?query=up';
  try {
    const answer = await live.grafana.throughDataSource<{ data?: { result?: Series[] } }>(uid, path);
    if ((answer.data?.result ?? []).length > 0) return undefined;
    const message = `The data source ${uid} answers, and has no metric up: ${who} show nothing.`;
    return { message, remedy: 'npm run verify -- targets says what Prometheus scrapes.' };
  } catch (error) {
    if (!(error instanceof UserError) || error instanceof GrafanaPasswordRefused) throw error;
    if (/answers 404/.test(error.message))
      return {
        message: `Grafana has no data source with the uid ${uid}, which ${who} name${titles.length === 1 ? 's' : ''}.`,
        remedy: `Give the data source in observability/grafana/configmap-datasources.yaml the uid ${uid}, and npm run up.`,
        lasting: true,
      };
    return {
      message: `The data source ${uid} does not answer through Grafana: ${error.message}`,
      remedy: 'Compare its url in observability/grafana/configmap-datasources.yaml with the Service of Prometheus.',
    };
  }
}

/** Whether each panel has something to show, as Grafana has it now. */
export const verifyQueries: VerificationCheck = {
  name: 'queries',
  title: 'every panel has data',
  async run(live) {
    const [dashboards, allowed] = await Promise.all([shownDashboards(live), live.allowedEmpty()]);
    const keyOf = ({ dashboard, panel }: { dashboard: string; panel: string }) => `${dashboard} ${panel}`;
    const exempt = new Set(allowed.panels.map(keyOf));
    // The dashboard of a part that is not enabled is there, under its name, and has nothing to show.
    const isUnwanted = ({ dashboard }: PanelQuery) =>
      monitoringParts.some((part) => part === dashboard && !live.config.parts.includes(part));
    const questions = dashboards.flatMap((json) => panelQueriesOf(json)).filter((one) => !isUnwanted(one));
    const findings = await Promise.all(questions.map((one) => checkPanelQuery(live, one, exempt.has(keyOf(one)))));
    const panels = new Set(questions.map(keyOf));
    const detail = `${counted(questions.length, 'query')} of ${counted(panels.size, 'panel')}, ${exempt.size} may be empty`;
    return { findings, detail };
  },
};

/** Those that Grafana shows; where it can't be asked, which another check says, those of this checkout. */
async function shownDashboards(live: LiveCluster): Promise<unknown[]> {
  try {
    const listed = await live.grafana.dashboards();
    return await Promise.all(listed.map(({ uid }) => live.grafana.dashboard(uid)));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [...(await live.dashboards()).values()];
  }
}

async function checkPanelQuery(
  live: LiveCluster,
  question: PanelQuery,
  mayBeEmpty: boolean,
): Promise<VerificationFinding | undefined> {
  const { dashboard, panel, expr } = question;
  const where = `The panel "${panel}" of ${dashboard}`;
  const remedy = `Correct the query in observability/grafana/dashboards/${dashboard}.json; npm run validate -- queries knows the metrics. Or say in allowed-empty.yaml why it may be empty.`;
  try {
    const result = await live.prometheus.query(expr);
    if (hasData({ data: { result } }) || (await asksForAbsent(live, expr))) return undefined;
    const why = mayBeEmpty ? await neverAnswered(live, expr) : `${expr.replaceAll(/\s+/g, ' ')} has no data`;
    return why === undefined ? undefined : { message: `${where} shows nothing: ${why}.`, remedy };
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 400) throw error;
    return { message: `${where} asks what Prometheus can't read: ${reasonIn(error.message)}.`, remedy, lasting: true };
  }
}

/** Prometheus' own words, which come as JSON. */
function reasonIn(message: string): string {
  return /"error":"((?:[^"\\]|\\.)*)"/.exec(message)?.[1]?.replaceAll('\\"', '"') ?? message;
}
