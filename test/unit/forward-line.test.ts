import assert from 'node:assert/strict';
import { test } from 'node:test';
import { destinations } from '../../scripts/access/port-forward/destinations.ts';
import { createForward, type ForwardEvent } from '../../scripts/access/port-forward/forward.ts';
import type { PortProxy } from '../../scripts/access/port-forward/proxy.ts';
import { type Endpoint, type PortForward, PortForwardFailed } from '../../scripts/kubernetes/port-forward.ts';
import { Interrupted } from '../../scripts/lib/errors.ts';

const [destination = assert.fail()] = destinations;
const pod = (name: string, uid = name): Endpoint => ({ namespace: 'x', pod: name, uid, port: 1 });

/** A line whose proxy and tunnels only write down what becomes of them. */
function rig(open?: (endpoint: Endpoint, signal: AbortSignal, attempt: number) => Promise<void>) {
  const log: string[] = [];
  const changes: ForwardEvent[] = [];
  const ends: ((why: string) => void)[] = [];
  const waiting: (() => void)[] = [];
  const wake = () => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  let port = 0;
  let attempts = 0;
  const proxy: PortProxy = {
    port: 9090,
    lead: (to) => void log.push(`lead ${to}`),
    idle: async () => {},
    close: async () => void log.push('close proxy'),
  };
  const line = createForward(destination, proxy, {
    async open(endpoint, signal) {
      attempts += 1;
      await open?.(endpoint, signal, attempts);
      if (signal.aborted) throw new Interrupted();
      port += 1;
      const own = port;
      let end = (_: string) => {};
      const ended = new Promise<string>((resolve) => {
        end = resolve;
      });
      ends.push(end);
      log.push(`open ${own} to ${endpoint.pod}`);
      const close = () => {
        log.push(`end ${own}`);
        end('closed');
      };
      return { port: own, ended, close } satisfies PortForward;
    },
    tell(change) {
      changes.push(change);
      wake();
    },
  });
  /** Waits until so much was told. */
  const told = async (count: number) => {
    while (changes.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    return changes.map((change) => ('pod' in change ? `${change.kind} ${change.pod}` : change.kind));
  };
  return { line, log, told, ends, changes };
}

test('a line leads to its pod, and to the next one before the last one is let go', async () => {
  const { line, log, told } = rig();
  line.follow(pod('a'), false);
  assert.deepEqual(await told(1), ['leads a']);
  line.follow(pod('a'), false);
  line.follow(pod('b'), false);
  assert.deepEqual(await told(2), ['leads a', 'leads b']);
  assert.deepEqual(log, ['open 1 to a', 'lead 1', 'open 2 to b', 'lead 2', 'end 1']);
  await line.close();
  assert.deepEqual(log.slice(5), ['close proxy', 'end 2']);
});

test('a pod of the same name with another uid gets a tunnel of its own', async () => {
  const { line, told } = rig();
  line.follow(pod('a'), false);
  await told(1);
  line.follow(pod('a', 'anew'), false);
  assert.deepEqual(await told(2), ['leads a', 'leads a']);
  await line.close();
});

test('a tunnel that ends is opened again, and those who come meanwhile are held', async () => {
  const { line, log, told, ends } = rig();
  line.follow(pod('a'), false);
  await told(1);
  ends[0]?.('lost connection to pod');
  assert.deepEqual(await told(3), ['leads a', 'ended a', 'leads a']);
  assert.deepEqual(log, ['open 1 to a', 'lead 1', 'lead undefined', 'open 2 to a', 'lead 2']);
  await line.close();
});

test('where no pod is ready, it says so once and leads nowhere', async () => {
  const { line, log, told } = rig();
  line.follow(undefined, false);
  line.follow(undefined, false);
  assert.deepEqual(await told(1), ['waits']);
  line.follow(pod('a'), false);
  await told(2);
  line.follow(undefined, false);
  assert.deepEqual(await told(3), ['waits', 'leads a', 'waits']);
  assert.deepEqual(log.slice(-2), ['lead undefined', 'end 1']);
  await line.close();
});

test('after the API server was lost, a tunnel is made anew though the pod is the same', async () => {
  const { line, told, log } = rig();
  line.follow(pod('a'), false);
  await told(1);
  line.follow(pod('a'), true);
  assert.deepEqual(await told(2), ['leads a', 'leads a']);
  assert.deepEqual(log.slice(2), ['open 2 to a', 'lead 2', 'end 1']);
  await line.close();
});

test('what kubectl fails with is told, and it is tried again', async () => {
  const { line, told, changes } = rig(async (_endpoint, _signal, attempt) => {
    if (attempt < 3) throw new PortForwardFailed(`failure ${attempt}`);
  });
  line.follow(pod('a'), false);
  assert.deepEqual(await told(3), ['failed a', 'failed a', 'leads a']);
  assert.deepEqual(changes[1], { kind: 'failed', pod: 'a', why: 'failure 2' });
  await line.close();
});

test('a pod that goes while its tunnel is opened is given up for the next one', async () => {
  const { line, told, log } = rig(async (endpoint, signal) => {
    if (endpoint.pod === 'a') await new Promise((resolve) => signal.addEventListener('abort', resolve));
  });
  line.follow(pod('a'), false);
  line.follow(pod('b'), false);
  assert.deepEqual(await told(1), ['leads b']);
  assert.deepEqual(log, ['open 1 to b', 'lead 1']);
  await line.close();
});

test('closing gives up what is being opened, and what has failed and waits', async () => {
  for (const open of [
    (_: Endpoint, signal: AbortSignal) =>
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
    async () => {
      throw new PortForwardFailed('again and again');
    },
  ]) {
    const { line, log } = rig(open);
    line.follow(pod('a'), false);
    await new Promise((resolve) => setImmediate(resolve));
    await line.close();
    assert.deepEqual(log, ['close proxy']);
  }
});
