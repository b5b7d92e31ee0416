import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Endpoint,
  endpointOf,
  isSameEndpoint,
  type PortForward,
  PortForwardFailed,
} from '../../kubernetes/port-forward.ts';
import type { EndpointSlice } from '../../kubernetes/types.ts';
import { Interrupted } from '../../lib/errors.ts';
import { columns } from '../../lib/text.ts';
import type { Destination } from './destinations.ts';

/** What became of one destination. `seconds`: for how long nothing listened on its port. */
export type ForwardEvent =
  | { kind: 'leads'; pod: string; seconds: number }
  | { kind: 'waits' }
  | { kind: 'ended'; pod: string; why: string }
  | { kind: 'failed'; pod: string; why: string };

/** Keeps a port of this machine leading to a pod of its destination, by one kubectl after another. */
export interface Forward {
  /** Says what is behind the Services. `renew`: start another kubectl in any case, since the connection may be dead. */
  follow(slices: readonly EndpointSlice[], renew: boolean): void;
  /** Resolves once the signal has fired and kubectl has ended. Rejects with what the options throw. */
  ended: Promise<void>;
}

interface ForwardOptions {
  /** Starts kubectl, which runs until the signal fires. Throws `PortForwardFailed`, or `Interrupted`. */
  open(endpoint: Endpoint, signal: AbortSignal): Promise<PortForward>;
  /** Asked where the first kubectl fails: throws a `UsageError` if another process has the port. */
  assertPortFree(): Promise<void>;
  onEvent(event: ForwardEvent): void;
  signal: AbortSignal;
}

/** Milliseconds until the next try, while kubectl fails. */
const retryMs = { shortest: 200, longest: 2000 };

export function startForward(
  destination: Destination,
  { open, assertPortFree, onEvent, signal }: ForwardOptions,
): Forward {
  let wanted: Endpoint | undefined;
  let isKnown = false;
  let change = new AbortController();

  const keep = async () => {
    let hasLed = false;
    let told: string | undefined;
    let waitMs = retryMs.shortest;
    let downSince = performance.now();
    while (!signal.aborted) {
      change = new AbortController();
      const until = AbortSignal.any([signal, change.signal]);
      const endpoint = wanted;
      if (endpoint === undefined) {
        if (isKnown) onEvent({ kind: 'waits' });
        await once(until, 'abort');
        continue;
      }
      const { pod } = endpoint;
      try {
        const kubectl = await open(endpoint, until);
        onEvent({ kind: 'leads', pod, seconds: (performance.now() - downSince) / 1000 });
        hasLed = true;
        told = undefined;
        waitMs = retryMs.shortest;
        // The next one needs the port, which is free once this one has ended.
        const why = await kubectl.ended;
        downSince = performance.now();
        if (!until.aborted) onEvent({ kind: 'ended', pod, why });
      } catch (error) {
        if (error instanceof Interrupted) continue;
        if (!(error instanceof PortForwardFailed)) throw error;
        if (!hasLed) await assertPortFree();
        if (error.message !== told) onEvent({ kind: 'failed', pod, why: error.message });
        told = error.message;
        await sleep(waitMs, undefined, { signal: until }).catch(() => {});
        waitMs = Math.min(waitMs * 2, retryMs.longest);
      }
    }
  };

  return {
    follow(slices, renew) {
      const endpoint = endpointOf(slices, destination, wanted);
      if (isKnown && !renew && isSameEndpoint(endpoint, wanted)) return;
      isKnown = true;
      wanted = endpoint;
      change.abort();
    },
    ended: keep(),
  };
}

/** An address in numbers: `localhost` may mean another program, on ::1. */
function forwardUrl({ url, path = '' }: Destination, port: number): string {
  return url ?? `http://127.0.0.1:${port}${path}`;
}

/** The addresses, and how to log in there. */
export function forwardLines(ports: ReadonlyMap<Destination, number>): string[] {
  const all = [...ports].map(([destination, port]) => ({ ...destination, shown: forwardUrl(destination, port) }));
  const width = Math.max(...all.map(({ shown }) => shown.length));
  return columns(
    all.map(({ name, login, shown }) => {
      const hint = login ? `user admin, the password by npm run passwords -- ${name}` : '';
      return [name, `${shown.padEnd(width)}  ${hint}`.trimEnd()] as const;
    }),
  );
}

/** The same for a program. */
export function forwardJson(ports: ReadonlyMap<Destination, number>): string {
  const forwards = [...ports].map(([destination, port]) => {
    const { name, login } = destination;
    return { name, url: forwardUrl(destination, port), port, ...(login && { user: 'admin' }) };
  });
  return JSON.stringify({ forwards });
}

/** What became of a destination, in a line. */
export function eventLine(name: string, event: ForwardEvent): string {
  switch (event.kind) {
    case 'leads':
      return `✔ ${name} leads to the pod ${event.pod} (after ${event.seconds.toFixed(1)} s)`;
    case 'waits':
      return `! ${name} waits: no pod of it is ready`;
    case 'ended':
      return `! ${name} lost the pod ${event.pod}: ${event.why}`;
    case 'failed':
      return `! ${name} can't reach the pod ${event.pod} and tries again: ${event.why}`;
  }
}
