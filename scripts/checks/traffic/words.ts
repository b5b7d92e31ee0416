import { columns } from '../../lib/text.ts';
import { badPath, type Plan } from './plan.ts';
import type { Shown } from './shown-by.ts';
import { type Statistics, statisticsOf } from './statistics.ts';
import type { Stream } from './stream.ts';

export interface Report extends Statistics {
  url: string;
  plan: Plan;
  seconds: number;
  interrupted: boolean;
  shownBy: { title: string; url: string }[];
}

/** What came of a stream to that address, and where it can be seen in a Grafana at the other one. */
export function reportOf(url: string, plan: Plan, stream: Stream, shown: readonly Shown[], grafana: string): Report {
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
export function page({ url, plan, requests, seconds, answers, latency, shownBy, interrupted }: Report): string {
  const rate = seconds > 0 ? requests / seconds : 0;
  const ended = interrupted ? 'Interrupted: sent' : 'Sent';
  return [
    `${ended} ${requests} requests to ${url} in ${seconds.toFixed(1)} s (${rate.toFixed(1)} a second).`,
    '',
    ...(answers.length > 0 ? columns(answers.map((answer) => row(answer, plan))) : []),
    ...(latency ? ['', `  Latency: ${milliseconds(latency)}`] : []),
    ...(answers.some(({ status }) => status === 429)
      ? ['', '  429 is the limit of the Ingress for one client: nginx.ingress.kubernetes.io/limit-rps of api-node.']
      : []),
    ...(shownBy.length > 0
      ? ['', 'Shown by, as soon as Prometheus has scraped it:', ...columns(shownBy.map((one) => [one.title, one.url]))]
      : []),
  ].join('\n');
}

function row({ path, status, why, count }: Report['answers'][number], { errors }: Plan): readonly [string, string] {
  const asked = path === badPath && status === 404 ? `: the ${errors} % that were meant to fail` : '';
  return [`${count} times ${status ?? 'no answer'}`, `${path}${asked}${why === undefined ? '' : `: ${why}`}`];
}

function milliseconds(latency: NonNullable<Report['latency']>): string {
  return Object.entries(latency)
    .map(([name, value]) => `${name} ${value < 10 ? value.toFixed(1) : Math.round(value)} ms`)
    .join(', ');
}
