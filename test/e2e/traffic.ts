import { Agent, get } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Door {
  /** Port of this machine on which the ingress speaks TLS. */
  port: number;
  host: string;
  /** PEM of what the certificate is checked against. */
  ca: string;
}

export interface Reply {
  status: number;
  body: string;
  headers: Record<string, string | string[] | undefined>;
}

/** GETs a path of a host through the ingress, on a connection of its own. Throws what the connection fails with. */
export function ask(
  { port, host, ca }: Door,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      path,
      method,
      ca,
      servername: host,
      headers: { ...headers, host: `${host}:${port}` },
    };
    const request = get({ ...options, agent: new Agent({ keepAlive: false }), timeout: 10_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body, headers: response.headers }));
    });
    request.on('timeout', () => request.destroy(new Error('no answer within 10 s')));
    request.on('error', reject);
  });
}

export interface Stream {
  /** How many requests were answered with 200 so far. */
  answered(): number;
  /** Ends it; hands back how many requests were answered with 200, and what became of each other one. */
  stop(): Promise<{ answered: number; lost: string[] }>;
}

/** Asks the same again and again, so many times a second, whether or not the one before has been answered. */
export function steadyStream(door: Door, path: string, perSecond: number): Stream {
  const ended = new AbortController();
  const lost: string[] = [];
  let answered = 0;
  const one = async () => {
    try {
      const { status, body } = await ask(door, path);
      if (status === 200) answered += 1;
      else lost.push(`${status}: ${body.slice(0, 100)}`);
    } catch (error) {
      lost.push(String(error));
    }
  };
  const running = (async () => {
    const open = new Set<Promise<void>>();
    while (!ended.signal.aborted) {
      const request = one().finally(() => open.delete(request));
      open.add(request);
      await sleep(1000 / perSecond);
    }
    await Promise.all(open);
  })();
  return {
    answered: () => answered,
    async stop() {
      ended.abort();
      await running;
      return { answered, lost };
    },
  };
}
