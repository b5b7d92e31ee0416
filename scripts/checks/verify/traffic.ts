import { setTimeout as sleep } from 'node:timers/promises';
import { counted } from '../../lib/text.ts';
import type { VerificationCheck, VerificationFinding } from './check.ts';
import type { LiveCluster, Series } from './live.ts';

/** How many requests are sent, and to what: the API asks another service for its answer. */
const requestCount = 10;
const path = '/info';

interface Counter {
  /** What counts, for a sentence. */
  who: string;
  /** A selector: its series are followed one by one. */
  query: string;
  /** By how much it has to rise. */
  by: number;
  /** It works by itself, without requests. */
  alone?: true;
}

const requestMetric = 'http_requests_total';
const jobMetric = 'worker_jobs_processed_total';

/** The kubelet's probes and Prometheus' own scrapes are no traffic. api-node counts its probes under "/", as it does requests. */
const ofService = (service: string): Counter => ({
  who: service,
  query: `${requestMetric}{service="${service}",path!~"/metrics|/health.*"}`,
  by: requestCount,
});

const ofController = (controller: LiveCluster['config']['ingressController'], api: string): Counter =>
  controller === 'nginx'
    ? { who: 'ingress-nginx', query: `nginx_ingress_controller_requests{service="${api}"}`, by: requestCount }
    : { who: 'Traefik', query: 'traefik_entrypoint_requests_total', by: requestCount };

const ofWorker = (service: string): Counter => ({
  who: service,
  query: `${jobMetric}{service="${service}"}`,
  by: 1,
  alone: true,
});

/** What has to count the requests: the controller, and those of the API and the service behind it that count any. */
async function countersOf(live: LiveCluster): Promise<Counter[]> {
  const [api, services, metrics] = await Promise.all([live.api(), live.services(), live.metrics()]);
  const counting = (metric: string) =>
    services
      .filter(({ name, program = name }) => (metrics.get(name) ?? metrics.get(program))?.includes(metric))
      .map(({ name }) => name);
  const asked = counting(requestMetric).filter((name) => name === api?.service || name === api?.upstream);
  return [
    ...(api ? [ofController(live.config.ingressController, api.service)] : []),
    ...asked.map(ofService),
    ...counting(jobMetric).map(ofWorker),
  ];
}

/** Whether a request at the front door is seen by everything that counts it. */
export const verifyTraffic: VerificationCheck = {
  name: 'traffic',
  title: 'counters move when requests come',
  async run(live, worthIt) {
    const counters = await countersOf(live);
    const isAsked = counters.some(({ alone }) => !alone);
    const followed = counters.map((counter) => ({ counter, follow: followCounter() }));
    const read = () =>
      Promise.all(
        followed.map(async ({ counter, follow }) => {
          const rise = follow(await live.prometheus.query(counter.query));
          return { ...counter, ...rise };
        }),
      );
    const detail = `${isAsked ? requestCount : 0} requests, ${counted(counters.length, 'counter')}`;
    await read();
    const refused = isAsked ? await send(live) : undefined;
    if (refused) return { findings: [refused], detail };
    for (;;) {
      const now = await read();
      const stuck = now.filter(({ total, by }) => total < by);
      if (stuck.length === 0) {
        // Prometheus saw no value before it, so for its rate nothing has risen: the rules would have nothing to work on.
        return { findings: [isAsked && now.some(({ begun }) => begun) ? await send(live) : undefined], detail };
      }
      // What a pod counted after its last scrape is gone with it: that is no finding yet, and takes requests of its own.
      if (!worthIt() || stuck.some(({ vanished }) => vanished)) return { findings: stuck.map(explainStuck), detail };
      await sleep(1000);
    }
  },
};

async function send(live: LiveCluster): Promise<VerificationFinding | undefined> {
  const answers = await Promise.all(Array.from({ length: requestCount }, () => live.send(path)));
  const wrong = answers.filter((answer) => answer !== 200);
  if (wrong.length === 0) return undefined;
  const what = typeof wrong[0] === 'number' ? `${path} answers ${wrong[0]}` : wrong[0];
  return {
    message: `${counted(wrong.length, 'request')} of ${requestCount} through the ingress failed: ${what}.`,
    remedy: 'npm run status says which part does not answer.',
  };
}

function explainStuck({ who, query, by, total, alone }: Counter & Increase): VerificationFinding {
  const asked = alone ? 'It works by itself' : `${requestCount} requests went through the ingress`;
  return {
    message: `${asked}, and ${who} counts ${total} more, where ${by} were to be seen: ${query}.`,
    remedy: `Look at the metrics of ${who}: npm run port-forward -- prometheus, then Status > Target health.`,
  };
}

/** How much a counter has risen over several looks at it, series by series. */
interface Increase {
  /** What it has risen by since the first look. */
  total: number;
  /** A series of an earlier look is missing: a pod is gone, with what it counted since Prometheus scraped it last. */
  vanished: boolean;
  /** Prometheus had nothing of a series before it rose, so that rate() sees no rise of it. */
  begun: boolean;
}

/**
 * Follows a counter. A sum over its series says little while pods come and go: it falls when one goes, and rises by all that
 * a pod has ever counted when one comes back.
 * @returns a function that takes each look's series, the first of them the baseline. As for Prometheus' increase(), a series
 * that falls has begun again at 0; unlike there, so has one that is new. One that comes back goes on where it was.
 */
export function followCounter(): (series: readonly Series[]) => Increase {
  const last = new Map<string, number>();
  let looks = 0;
  let total = 0;
  let begun = false;
  return (series) => {
    const now = new Map(series.map(({ metric, value }) => [keyOf(metric), Number(value[1]) || 0]));
    for (const [key, value] of now) {
      const before = last.get(key);
      if (looks > 0) {
        total += before !== undefined && value >= before ? value - before : value;
        begun ||= before === undefined;
      }
      last.set(key, value);
    }
    looks += 1;
    if (looks === 1) begun = ![...now.values()].some((value) => value > 0);
    return { total, vanished: [...last.keys()].some((key) => !now.has(key)), begun };
  };
}

function keyOf(metric: Series['metric']): string {
  return JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1)));
}
