import { GrafanaPasswordRefused } from '../../../components/grafana.ts';
import { UserError } from '../../../lib/errors.ts';
import { asDashboard, panelsOf, uidOf } from '../../../repository/dashboards/dashboard.ts';
import { type Check, count, type Finding } from '../check.ts';
import type { Live } from '../live.ts';
import type { Series } from '../prometheus.ts';

/** Data sources that Grafana has built in: https://grafana.com/docs/grafana/latest/datasources/#special-data-sources */
const builtIn = /^(grafana|-- (Grafana|Mixed|Dashboard) --)$/;

/** Whether Grafana lets its administrator in, has every dashboard of this checkout, and reaches the numbers. */
export const grafana: Check = {
  name: 'grafana',
  title: 'Grafana has every dashboard and its data source',
  async run(live) {
    const status = await live.status('grafana');
    if (status.state !== 'ready') {
      const finding = { message: `Grafana is not there: ${status.missing}.`, remedy: 'npm run up' };
      return { findings: [finding], detail: 'could not be asked' };
    }
    try {
      return await lookAtGrafana(live);
    } catch (error) {
      if (!(error instanceof GrafanaPasswordRefused)) throw error;
      const finding = { message: error.message, remedy: error.hint ?? '', lasting: true as const };
      return { findings: [finding], detail: 'could not be asked' };
    }
  },
};

async function lookAtGrafana(live: Live) {
  const [wanted, listed] = await Promise.all([live.dashboards(), live.grafana.dashboards()]);
  const there = new Set(listed.map(({ uid }) => uid));
  const missing = [...wanted.keys()].filter((uid) => !there.has(uid));
  const users = await sourcesInUse(live, listed);
  const silent = await Promise.all([...users].map(([uid, titles]) => silence(live, uid, titles)));
  const findings = [
    ...missing.map(
      (uid): Finding => ({
        message: `Grafana does not have the dashboard ${uid}, which this checkout has.`,
        remedy: `npm run up; npm run dashboards says which of them differ.`,
      }),
    ),
    ...silent.flat(),
  ];
  return { findings, detail: `${count(listed.length, 'dashboard')}, ${count(users.size, 'data source')}` };
}

/** The uid of every data source that a panel of a dashboard in Grafana names, with the titles of those dashboards. */
async function sourcesInUse(
  live: Live,
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
async function silence(live: Live, uid: string, titles: readonly string[]): Promise<Finding[]> {
  const who = `the ${count(titles.length, 'dashboard')} ${titles.join(', ')}`;
  try {
    const answer = await live.grafana.throughDataSource<{ data?: { result?: Series[] } }>(
      uid,
      '/api/v1/query?query=up',
    );
    if ((answer.data?.result ?? []).length > 0) return [];
    const message = `The data source ${uid} answers, and has no metric up: ${who} show nothing.`;
    return [{ message, remedy: 'npm run verify -- targets says what Prometheus scrapes.' }];
  } catch (error) {
    if (!(error instanceof UserError) || error instanceof GrafanaPasswordRefused) throw error;
    if (/answers 404/.test(error.message)) {
      return [
        {
          message: `Grafana has no data source with the uid ${uid}, which ${who} name${titles.length === 1 ? 's' : ''}.`,
          remedy: `Give the data source in observability/grafana/configmap-datasources.yaml the uid ${uid}, and npm run up.`,
          lasting: true,
        },
      ];
    }
    return [
      {
        message: `The data source ${uid} does not answer through Grafana: ${error.message}`,
        remedy: 'Compare its url in observability/grafana/configmap-datasources.yaml with the Service of Prometheus.',
      },
    ];
  }
}
