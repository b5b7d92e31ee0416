import { setTimeout as sleep } from 'node:timers/promises';
import { type Endpoint, isSameEndpoint, type PortForward, PortForwardFailed } from '../../kubernetes/port-forward.ts';
import { Interrupted } from '../../lib/errors.ts';
import { columns } from '../../lib/text.ts';
import type { Destination } from './destinations.ts';
import type { PortProxy } from './proxy.ts';

/** What became of one destination, for whoever tells it. `seconds`: how long nothing was behind its port. */
export type ForwardEvent =
  | { kind: 'leads'; pod: string; seconds: number }
  | { kind: 'waits' }
  | { kind: 'ended'; pod: string; why: string }
  | { kind: 'failed'; pod: string; why: string };

/** Keeps a port of this machine leading to a pod of its destination, whatever becomes of pods, tunnels and API server. */
export interface Forward {
  destination: Destination;
  proxy: PortProxy;
  /** The pod that it leads to now. */
  now(): Endpoint | undefined;
  /** Says which pod it has to lead to. `renew`: also where it does already, since that tunnel may be dead. */
  follow(wanted: Endpoint | undefined, renew: boolean): void;
  /** Gives up the port, and ends the tunnels. */
  close(): Promise<void>;
}

interface ForwardOptions {
  /** Throws `PortForwardFailed`, or `Interrupted`. */
  open(endpoint: Endpoint, signal: AbortSignal): Promise<PortForward>;
  tell(change: ForwardEvent): void;
}

/** Milliseconds until the next try, while kubectl fails; and for which connections of a pod that is replaced may go on. */
const retryMs = { shortest: 200, longest: 2000 };
const drainMs = 10_000;

export function createForward(destination: Destination, proxy: PortProxy, { open, tell }: ForwardOptions): Forward {
  const closing = new AbortController();
  const tunnels = new Set<PortForward>();
  let wanted: Endpoint | undefined;
  let current: { endpoint: Endpoint; tunnel: PortForward } | undefined;
  let renewing = false;
  let followed = false;
  let attempt = new AbortController();
  let working: Promise<void> | undefined;
  let downSince = performance.now();

  const release = (tunnel: PortForward) => {
    void proxy.idle(tunnel.port, drainMs).then(() => tunnel.close());
  };
  const isRight = () => !renewing && isSameEndpoint(current?.endpoint, wanted);
  const use = (endpoint: Endpoint, tunnel: PortForward) => {
    const before = current;
    current = { endpoint, tunnel };
    proxy.lead(tunnel.port);
    if (before) release(before.tunnel);
    tell({ kind: 'leads', pod: endpoint.pod, seconds: before ? 0 : (performance.now() - downSince) / 1000 });
    tunnels.add(tunnel);
    void tunnel.ended.then((why) => {
      tunnels.delete(tunnel);
      if (current?.tunnel !== tunnel || closing.signal.aborted) return;
      leave();
      tell({ kind: 'ended', pod: endpoint.pod, why });
      settle();
    });
  };
  const leave = () => {
    current = undefined;
    downSince = performance.now();
    proxy.lead(undefined);
  };

  /** Works until the line is as it should be: what is wanted may change meanwhile, and then counts at once. */
  const work = async () => {
    let told: string | undefined;
    for (let wait = 0; !closing.signal.aborted && !isRight(); ) {
      const endpoint = wanted;
      if (endpoint === undefined) {
        if (current) release(current.tunnel);
        if (current) leave();
        renewing = false;
        tell({ kind: 'waits' });
        return;
      }
      attempt = new AbortController();
      const signal = AbortSignal.any([closing.signal, attempt.signal]);
      try {
        const renewed = renewing;
        const tunnel = await open(endpoint, signal);
        if (renewed) renewing = false;
        use(endpoint, tunnel);
        wait = 0;
      } catch (error) {
        if (error instanceof Interrupted) continue;
        if (!(error instanceof PortForwardFailed)) throw error;
        if (error.message !== told) tell({ kind: 'failed', pod: endpoint.pod, why: error.message });
        told = error.message;
        wait = Math.min(Math.max(retryMs.shortest, wait * 2), retryMs.longest);
        await sleep(wait, undefined, { signal }).catch(() => {});
      }
    }
  };
  const settle = () => {
    working ??= work().finally(() => {
      working = undefined;
      if (!closing.signal.aborted && !isRight()) settle();
    });
  };

  return {
    destination,
    proxy,
    now: () => current?.endpoint,
    follow(endpoint, renew) {
      const changed = !isSameEndpoint(endpoint, wanted);
      wanted = endpoint;
      renewing ||= renew;
      if (!followed && endpoint === undefined) tell({ kind: 'waits' });
      followed = true;
      if (!changed && !renew) return;
      attempt.abort();
      settle();
    },
    async close() {
      closing.abort();
      await proxy.close();
      await working;
      for (const tunnel of tunnels) tunnel.close();
      await Promise.all([...tunnels].map(({ ended }) => ended));
    },
  };
}

/** Where a line is found on this machine. An address in numbers: `localhost` may mean another program, on ::1. */
function forwardUrl({ destination, proxy }: Pick<Forward, 'destination' | 'proxy'>): string {
  return destination.url ?? `http://127.0.0.1:${proxy.port}${destination.path}`;
}

/** The addresses, and how to log in there. */
export function forwardLines(lines: readonly Forward[]): string[] {
  const urls = lines.map((line) => forwardUrl(line));
  const width = Math.max(...urls.map((url) => url.length));
  return columns(
    lines.map(({ destination: { name, login } }, index) => {
      const hint = login ? `user admin, the password by npm run passwords -- ${name}` : '';
      return [name, `${urls[index]?.padEnd(width)}  ${hint}`.trimEnd()] as const;
    }),
  );
}

/** The same for a program. */
export function forwardJson(lines: readonly Forward[]): string {
  const forwards = lines.map((line) => {
    const { destination, proxy } = line;
    const { name, login } = destination;
    return { name, url: forwardUrl(line), port: proxy.port, ...(login && { user: 'admin' }) };
  });
  return JSON.stringify({ forwards });
}

/** What became of a destination, in a line. */
export function eventLine(name: string, change: ForwardEvent): string {
  switch (change.kind) {
    case 'leads': {
      const after = change.seconds === 0 ? '' : ` (after ${change.seconds.toFixed(1)} s)`;
      return `✔ ${name} leads to the pod ${change.pod}${after}`;
    }
    case 'waits':
      return `! ${name} waits: no pod of it is ready`;
    case 'ended':
      return `! ${name} lost the pod ${change.pod}: ${change.why}`;
    case 'failed':
      return `! ${name} can't reach the pod ${change.pod}, and tries again: ${change.why}`;
  }
}
