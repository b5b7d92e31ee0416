import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { destinationsWith } from '../../scripts/access/port-forward/destinations.ts';
import { type ForwardEvent, startForward } from '../../scripts/access/port-forward/forward.ts';
import { type Endpoint, PortForwardFailed } from '../../scripts/kubernetes/port-forward.ts';
import type { EndpointSlice } from '../../scripts/kubernetes/types.ts';
import { Interrupted, UsageError } from '../../scripts/lib/errors.ts';

const [destination = assert.fail()] = destinationsWith(undefined);
const stopping = new Set<() => Promise<void>>();
afterEach(async () => {
  for (const stop of stopping) await stop();
  stopping.clear();
});

/** What is behind the Service: one pod that is ready, or none. */
function slices(pod?: string, uid = pod): EndpointSlice[] {
  const { namespace, service, port } = destination;
  const labels = { 'kubernetes.io/service-name': service };
  const endpoints = pod === undefined ? [] : [{ targetRef: { kind: 'Pod', name: pod, ...(uid && { uid }) } }];
  const metadata = { name: `${service}-1`, namespace, labels };
  return [
    { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, endpoints, ports: [{ name: port, port: 1 }] },
  ];
}

/** A forward whose kubectls only write down what becomes of them. */
function rig(
  opening?: (endpoint: Endpoint, signal: AbortSignal, attempt: number) => Promise<void>,
  portFree = async () => {},
) {
  const log: string[] = [];
  const events: ForwardEvent[] = [];
  const ends: ((why: string) => void)[] = [];
  const waiting: (() => void)[] = [];
  const closing = new AbortController();
  let attempts = 0;
  const forward = startForward(destination, {
    async open(endpoint, signal) {
      attempts += 1;
      const own = attempts;
      await opening?.(endpoint, signal, own);
      if (signal.aborted) throw new Interrupted();
      log.push(`start ${endpoint.pod}`);
      const ended = new Promise<string>((resolve) => {
        ends.push(resolve);
        // As kubectl, it takes a moment to end.
        signal.addEventListener('abort', () => setTimeout(() => resolve('told to end'), 20), { once: true });
      });
      void ended.then(() => log.push(`end ${endpoint.pod}`));
      return { port: 1, ended, close: () => assert.fail('the signal ends it') };
    },
    assertPortFree: portFree,
    onEvent(event) {
      events.push(event);
      for (const resolve of waiting.splice(0)) resolve();
    },
    signal: closing.signal,
  });
  stopping.add(async () => {
    closing.abort();
    await forward.ended.catch(() => {});
  });
  /** Waits until so much was told. */
  const told = async (count: number) => {
    while (events.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
    return events.map((event) => ('pod' in event ? `${event.kind} ${event.pod}` : event.kind));
  };
  return { forward, log, told, ends, events, stop: () => closing.abort() };
}

test('it leads to its pod, and starts the next kubectl once the last one has given the port back', async () => {
  const { forward, log, told, stop } = rig();
  forward.follow(slices('a'), false);
  assert.deepEqual(await told(1), ['leads a']);
  forward.follow(slices('a'), false);
  forward.follow(slices('b'), false);
  assert.deepEqual(await told(2), ['leads a', 'leads b']);
  assert.deepEqual(log, ['start a', 'end a', 'start b']);
  stop();
  await forward.ended;
  assert.deepEqual(log.slice(3), ['end b']);
});

const restarts: [what: string, restart: (rigged: ReturnType<typeof rig>) => void, told: string[]][] = [
  [
    'a pod of the same name with another uid',
    ({ forward }) => forward.follow(slices('a', 'other'), false),
    ['leads a', 'leads a'],
  ],
  ['the API server, which was lost', ({ forward }) => forward.follow(slices('a'), true), ['leads a', 'leads a']],
  [
    'a kubectl that ended by itself',
    ({ ends }) => ends[0]?.('lost connection to pod'),
    ['leads a', 'ended a', 'leads a'],
  ],
];
for (const [what, restart, expected] of restarts) {
  test(`another kubectl is started for ${what}`, async () => {
    const rigged = rig();
    rigged.forward.follow(slices('a'), false);
    await rigged.told(1);
    restart(rigged);
    assert.deepEqual(await rigged.told(expected.length), expected);
    assert.deepEqual(rigged.log, ['start a', 'end a', 'start a']);
  });
}

test('where no pod is ready, it says so once and leads nowhere', async () => {
  const { forward, log, told } = rig();
  forward.follow(slices(), false);
  forward.follow(slices(), false);
  assert.deepEqual(await told(1), ['waits']);
  forward.follow(slices('a'), false);
  await told(2);
  forward.follow(slices(), false);
  assert.deepEqual(await told(3), ['waits', 'leads a', 'waits']);
  assert.deepEqual(log, ['start a', 'end a']);
});

test('what kubectl fails with is told, and it is tried again', async () => {
  const { forward, told, events } = rig(async (_endpoint, _signal, attempt) => {
    if (attempt < 3) throw new PortForwardFailed(`failure ${attempt}`);
  });
  forward.follow(slices('a'), false);
  assert.deepEqual(await told(3), ['failed a', 'failed a', 'leads a']);
  assert.deepEqual(events[1], { kind: 'failed', pod: 'a', why: 'failure 2' });
});

test('a port that another process took ends it at the start, and is waited for later on', async () => {
  const taken = async () => {
    throw new UsageError('taken by nginx', 'Stop it');
  };
  const refused = async () => {
    throw new PortForwardFailed('unable to listen');
  };
  const early = rig(refused, taken);
  early.forward.follow(slices('a'), false);
  await assert.rejects(early.forward.ended, /taken by nginx/);

  const late = rig(async (_endpoint, _signal, attempt) => (attempt === 2 ? refused() : undefined), taken);
  late.forward.follow(slices('a'), false);
  await late.told(1);
  late.forward.follow(slices('b'), false);
  assert.deepEqual(await late.told(3), ['leads a', 'failed b', 'leads b']);
});

test('a pod that goes while its kubectl starts is given up for the next one', async () => {
  const { forward, told, log } = rig(async (endpoint, signal) => {
    if (endpoint.pod === 'a') await new Promise((resolve) => signal.addEventListener('abort', resolve));
  });
  forward.follow(slices('a'), false);
  await new Promise((resolve) => setImmediate(resolve));
  forward.follow(slices('b'), false);
  assert.deepEqual(await told(1), ['leads b']);
  assert.deepEqual(log, ['start b']);
});

test('the signal ends what is being started, and what has failed and waits', async () => {
  for (const opening of [
    (_: Endpoint, signal: AbortSignal) =>
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
    async () => {
      throw new PortForwardFailed('again and again');
    },
  ]) {
    const { forward, log, stop } = rig(opening);
    forward.follow(slices('a'), false);
    await new Promise((resolve) => setImmediate(resolve));
    stop();
    await forward.ended;
    assert.deepEqual(log, []);
  }
});
