import { setTimeout as sleep } from 'node:timers/promises';
import { type Endpoint, isSameEndpoint, type PortForward, PortForwardFailed } from '../../kubernetes/port-forward.ts';
import { Interrupted } from '../../lib/errors.ts';
import type { Destination } from './destinations.ts';
import type { Door } from './door.ts';

/** What became of one destination, for whoever tells it. `seconds`: how long nothing was behind its port. */
export type Change =
  | { kind: 'leads'; pod: string; seconds: number }
  | { kind: 'waits' }
  | { kind: 'ended'; pod: string; why: string }
  | { kind: 'failed'; pod: string; why: string };

/** Keeps a port of this machine leading to a pod of its destination, whatever becomes of pods, tunnels and API server. */
export interface Line {
  destination: Destination;
  door: Door;
  /** The pod that it leads to now. */
  now(): Endpoint | undefined;
  /** Says which pod it has to lead to. `renew`: also where it does already, since that tunnel may be dead. */
  follow(wanted: Endpoint | undefined, renew: boolean): void;
  /** Gives up the port, and ends the tunnels. */
  close(): Promise<void>;
}

export interface Means {
  /** Throws `PortForwardFailed`, or `Interrupted`. */
  open(endpoint: Endpoint, signal: AbortSignal): Promise<PortForward>;
  tell(change: Change): void;
}

/** Milliseconds until the next try, while kubectl fails; and for which connections of a pod that is replaced may go on. */
const pause = { shortest: 200, longest: 2000 };
const farewell = 10_000;

export function createLine(destination: Destination, door: Door, { open, tell }: Means): Line {
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
    void door.idle(tunnel.port, farewell).then(() => tunnel.close());
  };
  const isRight = () => !renewing && isSameEndpoint(current?.endpoint, wanted);
  const use = (endpoint: Endpoint, tunnel: PortForward) => {
    const before = current;
    current = { endpoint, tunnel };
    door.lead(tunnel.port);
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
    door.lead(undefined);
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
        wait = Math.min(Math.max(pause.shortest, wait * 2), pause.longest);
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
    door,
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
      await door.close();
      await working;
      for (const tunnel of tunnels) tunnel.close();
      await Promise.all([...tunnels].map(({ ended }) => ended));
    },
  };
}
