import { columns } from '../../lib/text.ts';
import { dashboardFiles } from '../../repository/dashboards/dashboard.ts';
import { withoutVariables } from '../../repository/dashboards/queries.ts';
import type { Repository } from '../../repository/rendering/repository.ts';
import { dashboardQueries, ruleQueries } from '../validate/prometheus/located.ts';
import { readQuery } from '../validate/prometheus/promql.ts';
import { badPath, type TrafficPlan } from './plan.ts';
import { type StreamResult, type StreamStatistics, statisticsOf } from './stream.ts';

interface TrafficReport extends StreamStatistics {
  url: string;
  plan: TrafficPlan;
  seconds: number;
  interrupted: boolean;
  shownBy: { title: string; url: string }[];
}

/** What came of a stream to that address, and where it can be seen in a Grafana at the other one. */
export function trafficReport(
  url: string,
  plan: TrafficPlan,
  stream: StreamResult,
  shown: readonly ShownDashboard[],
  grafana: string,
): TrafficReport {
  const { sent, seconds, interrupted } = stream;
  return {
    url,
    plan,
    seconds,
    interrupted,
    ...statisticsOf(sent),
    shownBy: shown.map(({ uid, title }) => ({ title, url: `${grafana}/d/${uid}` })),
  };
}

/** The same for a person. */
export function formatTrafficReport({
  url,
  plan,
  requests,
  seconds,
  answers,
  latency,
  shownBy,
  interrupted,
}: TrafficReport): string {
  const rate = seconds > 0 ? requests / seconds : 0;
  const ended = interrupted ? 'Interrupted: sent' : 'Sent';
  return [
    `${ended} ${requests} requests to ${url} in ${seconds.toFixed(1)} s (${rate.toFixed(1)} a second).`,
    '',
    ...(answers.length > 0 ? columns(answers.map((answer) => answerRow(answer, plan))) : []),
    ...(latency ? ['', `  Latency: ${formatLatency(latency)}`] : []),
    ...(answers.some(({ status }) => status === 429)
      ? ['', '  429 is the limit of the Ingress for one client: nginx.ingress.kubernetes.io/limit-rps of api-node.']
      : []),
    ...(shownBy.length > 0
      ? ['', 'Shown by, as soon as Prometheus has scraped it:', ...columns(shownBy.map((one) => [one.title, one.url]))]
      : []),
  ].join('\n');
}

function answerRow(
  { path, status, why, count }: TrafficReport['answers'][number],
  { errors }: TrafficPlan,
): readonly [string, string] {
  const asked = path === badPath && status === 404 ? `: the ${errors} % that were meant to fail` : '';
  return [`${count} times ${status ?? 'no answer'}`, `${path}${asked}${why === undefined ? '' : `: ${why}`}`];
}

function formatLatency(latency: NonNullable<TrafficReport['latency']>): string {
  return Object.entries(latency)
    .map(([name, value]) => `${name} ${value < 10 ? value.toFixed(1) : Math.round(value)} ms`)
    .join(', ');
}

interface ShownDashboard {
  uid: string;
  title: string;
  /** How many of its queries are about requests. */
  queries: number;
}

/** What a request through the ingress moves: the services' own metrics, and those of the ingress controllers. */
const requestMetrics =
  /^(http_request|nginx_ingress_controller_(request|response|ingress_upstream)|traefik_\w+_request)/;

/** The dashboards of this checkout that show requests, also by way of recording rules; those with the most to show first. */
export async function dashboardsWithRequests(repository: Repository): Promise<ShownDashboard[]> {
  const [files, panels, rules] = await Promise.all([
    dashboardFiles(repository),
    dashboardQueries(repository),
    ruleQueries(repository),
  ]);
  const recorded = new Map(rules.flatMap(({ rule, expr }) => (rule.record === undefined ? [] : [[rule.record, expr]])));
  const isMoved = (query: string, within: readonly string[] = []): boolean =>
    readQuery(withoutVariables(query)).selectors.some(({ name = '' }) => {
      if (requestMetrics.test(name)) return true;
      const behind = recorded.get(name);
      return behind !== undefined && !within.includes(name) && isMoved(behind, [...within, name]);
    });
  const shown = files.flatMap(({ embedded, dashboard: { uid, title } }) => {
    if (uid === undefined || title === undefined) return [];
    const own = panels.filter(({ where }) => where.startsWith(`${embedded.key}, panel `));
    return [{ uid, title, queries: own.filter(({ expr }) => isMoved(expr)).length }];
  });
  return shown.filter(({ queries }) => queries > 0).sort((a, b) => b.queries - a.queries);
}
