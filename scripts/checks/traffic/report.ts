import { columns } from '../../lib/text.ts';
import { dashboardFiles } from '../../repository/dashboards/dashboard.ts';
import { withoutVariables } from '../../repository/dashboards/queries.ts';
import type { Repository } from '../../repository/rendering/repository.ts';
import { dashboardQueries, ruleQueries } from '../validate/prometheus/located.ts';
import { readQuery } from '../validate/prometheus/promql.ts';
import { badPath, type SentRequest, type TrafficPlan } from './stream.ts';

interface TrafficReport {
  url: string;
  plan: TrafficPlan;
  seconds: number;
  interrupted: boolean;
  requests: number;
  /** By path and status, or why there was none; the most frequent first. */
  answers: { path: string; status: number | undefined; why?: string; count: number }[];
  /** Milliseconds until the answer, of those that were answered; none where nothing was. */
  latency: { p50: number; p90: number; p95: number; p99: number; max: number } | undefined;
  /** The dashboards that show it. */
  shownBy: { title: string; url: string }[];
}

/** What is told of a stream as it is. */
type Told = Pick<TrafficReport, 'url' | 'plan' | 'seconds' | 'interrupted'>;

/** Counts and measures what came of a stream. */
export function trafficReport(
  told: Told,
  sent: readonly SentRequest[],
  shownBy: TrafficReport['shownBy'],
): TrafficReport {
  const groups = new Map<string, TrafficReport['answers'][number]>();
  for (const { path, status, why } of sent) {
    const key = `${path} ${status ?? why}`;
    const group = groups.get(key) ?? { path, status, ...(why !== undefined && { why }), count: 0 };
    group.count += 1;
    groups.set(key, group);
  }
  const answered = sent.filter(({ status }) => status !== undefined).map(({ milliseconds }) => milliseconds);
  const sorted = answered.sort((a, b) => a - b);
  const at = (share: number) => percentile(sorted, share);
  return {
    ...told,
    requests: sent.length,
    answers: [...groups.values()].sort((a, b) => b.count - a.count),
    latency: sorted.length === 0 ? undefined : { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max: at(1) },
    shownBy,
  };
}

/** The smallest of the values that at least this share of them doesn't exceed (nearest rank). They have to be sorted. */
export function percentile(sorted: readonly number[], share: number): number {
  const rank = Math.max(Math.ceil(share * sorted.length), 1);
  return sorted[rank - 1] ?? Number.NaN;
}

/** The report as text. */
export function formatTrafficReport(report: TrafficReport): string {
  const { url, plan, requests, seconds, answers, latency, shownBy, interrupted } = report;
  const rate = seconds > 0 ? requests / seconds : 0;
  const ended = interrupted ? 'Interrupted: sent' : 'Sent';
  return [
    `${ended} ${requests} requests to ${url} in ${seconds.toFixed(1)} s (${rate.toFixed(1)} a second).`,
    '',
    ...(answers.length > 0 ? columns(answers.map((answer) => answerRow(answer, plan))) : []),
    ...(latency ? ['', `  Latency: ${formatLatency(latency)}`] : []),
    ...(answers.some(({ status }) => status === 429)
      ? ['', '  429 is the limit of the Ingress for one client: nginx.ingress.kubernetes.io/limit-rps in the values.']
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

/** What a request through the ingress moves: the services' own metrics, and those of the ingress controllers. */
const requestMetrics =
  /^(http_request|nginx_ingress_controller_(request|response|ingress_upstream)|traefik_\w+_request)/;

/**
 * Finds the dashboards of this checkout that show requests, also by way of recording rules.
 * @param grafana the address of Grafana
 * @returns those with the most to show first
 */
export async function dashboardsWithRequests(
  repository: Repository,
  grafana: string,
): Promise<TrafficReport['shownBy']> {
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
    const own = panels.filter(({ where, expr }) => where.startsWith(`${embedded.key}, panel `) && isMoved(expr));
    return uid !== undefined && title !== undefined && own.length > 0 ? [{ uid, title, queries: own.length }] : [];
  });
  const sorted = shown.sort((a, b) => b.queries - a.queries);
  return sorted.map(({ uid, title }) => ({ title, url: `${grafana}/d/${uid}` }));
}
