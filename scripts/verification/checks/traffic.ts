import { setTimeout as sleep } from 'node:timers/promises';
import { type Check, count, type Finding } from '../check.ts';
import type { Live } from '../live.ts';
import { sumOf } from '../prometheus.ts';

/** How many requests are sent, and to what: api-node asks core-go for its answer. */
const requests = 10;
const path = '/info';

interface Counter {
  /** What counts, for a sentence. */
  who: string;
  query: string;
  /** By how much it has to rise. */
  by: number;
}

/** The kubelet's probes and Prometheus' own scrapes are no traffic. */
const ofService = (service: string): Counter => ({
  who: service,
  query: `sum(http_requests_total{service="${service}",path!~"/metrics|/health.*"})`,
  by: requests,
});

const ofController: Record<Live['ingressController'], Counter> = {
  nginx: { who: 'ingress-nginx', query: 'sum(nginx_ingress_controller_requests{service="api-node"})', by: requests },
  traefik: { who: 'Traefik', query: 'sum(traefik_entrypoint_requests_total)', by: requests },
};

/** Works by itself, asked by nobody. */
const ofWorker: Counter = {
  who: 'worker-python',
  query: 'sum(worker_jobs_processed_total{service="worker-python"})',
  by: 1,
};

/** Whether a request at the front door is seen by everything that counts it. */
export const traffic: Check = {
  name: 'traffic',
  title: 'counters move when requests come',
  async run(live, worthIt) {
    const counters = [ofController[live.ingressController], ofService('api-node'), ofService('core-go'), ofWorker];
    const read = () => Promise.all(counters.map(async ({ query }) => sumOf(await live.prometheus.query(query))));
    const before = await read();
    const refused = await send(live);
    if (refused.length > 0) return { findings: refused, detail: `${requests} requests` };
    for (;;) {
      const now = await read();
      const still = counters.filter(({ by }, index) => (now[index] ?? 0) - (before[index] ?? 0) < by);
      const detail = `${requests} requests, ${count(counters.length, 'counter')}`;
      if (still.length === 0) {
        // Prometheus saw no value before it, so for its rate nothing has risen: the rules would have nothing to work on.
        const begun = before.some((value) => !value);
        return { findings: begun ? await send(live) : [], detail };
      }
      if (!worthIt()) {
        return { findings: still.map((counter) => lazy(counter, counters.indexOf(counter), before, now)), detail };
      }
      await sleep(1000);
    }
  },
};

async function send(live: Live): Promise<Finding[]> {
  const answers = await Promise.all(Array.from({ length: requests }, () => live.send(path)));
  const wrong = answers.filter((answer) => answer !== 200);
  if (wrong.length === 0) return [];
  const what = typeof wrong[0] === 'number' ? `${path} answers ${wrong[0]}` : wrong[0];
  return [
    {
      message: `${count(wrong.length, 'request')} of ${requests} through the ingress failed: ${what}.`,
      remedy: 'npm run status says which part does not answer.',
    },
  ];
}

function lazy({ who, query, by }: Counter, index: number, before: readonly number[], now: readonly number[]): Finding {
  const rise = (now[index] ?? 0) - (before[index] ?? 0);
  const asked = who === ofWorker.who ? 'It works by itself' : `${requests} requests went through the ingress`;
  return {
    message: `${asked}, and ${who} counts ${rise} more, where ${by} were to be seen: ${query}.`,
    remedy: `Look at the metrics of ${who}: npm run forward -- prometheus, then Status > Target health.`,
  };
}
