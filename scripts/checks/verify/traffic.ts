import { setTimeout as sleep } from 'node:timers/promises';
import { counted, type VerificationCheck, type VerificationFinding } from './check.ts';
import { followCounter, type Increase } from './increase.ts';
import type { LiveCluster } from './live.ts';

/** How many requests are sent, and to what: api-node asks core-go for its answer. */
const requestCount = 10;
const path = '/info';

interface Counter {
  /** What counts, for a sentence. */
  who: string;
  /** A selector: its series are followed one by one. */
  query: string;
  /** By how much it has to rise. */
  by: number;
}

/** The kubelet's probes and Prometheus' own scrapes are no traffic. api-node counts its probes under "/", as it does requests. */
const ofService = (service: string): Counter => ({
  who: service,
  query: `http_requests_total{service="${service}",path!~"/metrics|/health.*"}`,
  by: requestCount,
});

const ofController: Record<LiveCluster['ingressController'], Counter> = {
  nginx: { who: 'ingress-nginx', query: 'nginx_ingress_controller_requests{service="api-node"}', by: requestCount },
  traefik: { who: 'Traefik', query: 'traefik_entrypoint_requests_total', by: requestCount },
};

/** Works by itself, asked by nobody. */
const ofWorker: Counter = {
  who: 'worker-python',
  query: 'worker_jobs_processed_total{service="worker-python"}',
  by: 1,
};

/** Whether a request at the front door is seen by everything that counts it. */
export const verifyTraffic: VerificationCheck = {
  name: 'traffic',
  title: 'counters move when requests come',
  async run(live, worthIt) {
    const counters = [ofController[live.ingressController], ofService('api-node'), ofService('core-go'), ofWorker];
    const followed = counters.map((counter) => ({ counter, follow: followCounter() }));
    const read = () =>
      Promise.all(
        followed.map(async ({ counter, follow }) => ({
          counter,
          rise: follow(await live.prometheus.query(counter.query)),
        })),
      );
    const detail = `${requestCount} requests, ${counted(counters.length, 'counter')}`;
    await read();
    const refused = await send(live);
    if (refused.length > 0) return { findings: refused, detail: `${requestCount} requests` };
    for (;;) {
      const now = await read();
      const still = now.filter(({ counter, rise }) => rise.total < counter.by);
      if (still.length === 0) {
        // Prometheus saw no value before it, so for its rate nothing has risen: the rules would have nothing to work on.
        return { findings: now.some(({ rise }) => rise.begun) ? await send(live) : [], detail };
      }
      // What a pod counted after its last scrape is gone with it: that is no finding yet, and takes requests of its own.
      if (!worthIt() || still.some(({ rise }) => rise.vanished)) return { findings: still.map(stuckCounter), detail };
      await sleep(1000);
    }
  },
};

async function send(live: LiveCluster): Promise<VerificationFinding[]> {
  const answers = await Promise.all(Array.from({ length: requestCount }, () => live.send(path)));
  const wrong = answers.filter((answer) => answer !== 200);
  if (wrong.length === 0) return [];
  const what = typeof wrong[0] === 'number' ? `${path} answers ${wrong[0]}` : wrong[0];
  return [
    {
      message: `${counted(wrong.length, 'request')} of ${requestCount} through the ingress failed: ${what}.`,
      remedy: 'npm run status says which part does not answer.',
    },
  ];
}

function stuckCounter({
  counter: { who, query, by },
  rise,
}: {
  counter: Counter;
  rise: Increase;
}): VerificationFinding {
  const asked = who === ofWorker.who ? 'It works by itself' : `${requestCount} requests went through the ingress`;
  return {
    message: `${asked}, and ${who} counts ${rise.total} more, where ${by} were to be seen: ${query}.`,
    remedy: `Look at the metrics of ${who}: npm run forward -- prometheus, then Status > Target health.`,
  };
}
