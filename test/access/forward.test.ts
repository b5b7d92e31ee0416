import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  assertPortFree,
  choosePorts,
  destinationsWith,
  portsFor,
} from '../../scripts/access/port-forward/destinations.ts';
import { watchEndpoints } from '../../scripts/access/port-forward/endpoints.ts';
import { eventLine, forwardJson, forwardLines } from '../../scripts/access/port-forward/forward.ts';
import { Unreachable } from '../../scripts/kubernetes/api/api.ts';
import { endpointOf } from '../../scripts/kubernetes/port-forward.ts';
import type { EndpointSlice } from '../../scripts/kubernetes/types.ts';
import { Interrupted } from '../../scripts/lib/errors.ts';
import { fakeContext, fakeExec, refusal, temporaryFolder } from '../support/fakes.ts';

const destinations = destinationsWith({ namespace: 'default', service: 'api-node' });
const named = (name: string) => destinations.find((one) => one.name === name) ?? assert.fail(name);
const prometheus = named('prometheus');

interface Pod {
  name: string;
  uid?: string;
  ready?: boolean;
  serving?: boolean;
}

function slice(service: string, pods: Pod[], ports: EndpointSlice['ports'] = [{ name: 'web', port: 9090 }]) {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${service}-1`,
      namespace: 'observability',
      labels: { 'kubernetes.io/service-name': service },
    },
    endpoints: pods.map(({ name, uid = `uid of ${name}`, ready = true, serving = ready }) => ({
      conditions: { ready, serving, terminating: !ready && serving },
      targetRef: { kind: 'Pod', name, uid },
    })),
    ports,
  } satisfies EndpointSlice;
}
const podOf = (slices: EndpointSlice[], now?: string) =>
  endpointOf(
    slices,
    prometheus,
    now === undefined ? undefined : { namespace: 'observability', pod: now, uid: `uid of ${now}`, port: 9090 },
  )?.pod;

const choices: [what: string, pods: Pod[], now: string | undefined, expected: string | undefined][] = [
  ['a ready pod', [{ name: 'a' }], undefined, 'a'],
  ['the one that it is now', [{ name: 'a' }, { name: 'b' }], 'b', 'b'],
  ['another, once the one that it is now is not ready', [{ name: 'a', ready: false }, { name: 'b' }], 'a', 'b'],
  ['one that ends but answers, where no other does', [{ name: 'a', ready: false, serving: true }], 'a', 'a'],
  ['none that is not there yet', [{ name: 'a', ready: false }], undefined, undefined],
  ['none of another Service', [], 'a', undefined],
];
for (const [what, pods, now, expected] of choices) {
  test(`a Service leads to ${what}`, () =>
    assert.equal(podOf([slice('prometheus', pods), slice('grafana', [{ name: 'other' }])], now), expected));
}

test('a Service under another name is known by the label that its slices have from it', () => {
  const renamed = slice('shop-metrics', [{ name: 'a' }]);
  Object.assign(renamed.metadata.labels, { 'app.kubernetes.io/name': 'prometheus' });
  assert.equal(podOf([renamed, slice('grafana', [{ name: 'other' }])]), 'a');
  assert.equal(podOf([renamed, slice('prometheus', [{ name: 'b' }])]), 'b');
});

test('a pod that was made anew under the same name is another one', () => {
  const now = { namespace: 'observability', pod: 'a', uid: 'old', port: 9090 };
  assert.equal(endpointOf([slice('prometheus', [{ name: 'a', uid: 'new' }])], prometheus, now)?.uid, 'new');
});

test('the port is the one of that name, or the only one there is', () => {
  const port = (ports: EndpointSlice['ports']) =>
    endpointOf([slice('prometheus', [{ name: 'a' }], ports)], prometheus, undefined)?.port;
  assert.equal(
    port([
      { name: 'metrics', port: 1 },
      { name: 'web', port: 2 },
    ]),
    2,
  );
  assert.equal(port([{ name: 'renamed', port: 3 }]), 3);
  assert.equal(
    port([
      { name: 'renamed', port: 3 },
      { name: 'metrics', port: 1 },
    ]),
    undefined,
  );
  assert.equal(port(null), undefined);
});

test('each destination has a port of its own unless another is chosen', () => {
  const ports = (text?: string, chosen = destinations) => [...portsFor(chosen, text).values()];
  assert.deepEqual(ports(), [9090, 3000, 8081, 3001]);
  assert.deepEqual(ports('grafana=3030,api=0'), [9090, 3030, 8081, 0]);
  assert.deepEqual(ports('9091', [prometheus]), [9091]);
  assert.deepEqual(ports('prometheus=9091', [prometheus]), [9091]);
});

const refused: [what: string, text: string, says: RegExp][] = [
  ['a port for all', '9091', /--port 9091 names nothing that is forwarded/],
  ['a port for what is not forwarded', 'kibana=1', /names nothing/],
  ['no number', 'grafana=web', /"web" in --port grafana=web is no port/],
  ['too large a number', 'grafana=65536', /is no port/],
  ['nothing', 'grafana=', /"" in --port grafana= is no port/],
  [
    'the same port twice',
    'grafana=9090',
    /(prometheus and grafana|grafana and prometheus) can't both have the port 9090/,
  ],
];
for (const [what, text, says] of refused) {
  test(`as a port, ${what} is refused with the right form`, async () => {
    const { error } = await refusal(() => portsFor(destinations, text));
    assert.match(error.message, says);
    assert.equal(error.exitCode, 2);
    assert.match(error.hint ?? '', /npm run port-forward -- --port prometheus=9091/);
  });
}

test('a port that is taken is refused with the process that has it', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const exec = fakeExec((line) => (line.startsWith('lsof') ? { stdout: 'p12\ncnginx\n' } : undefined));
  const { text } = await refusal(() => choosePorts(exec, new Map([[named('grafana'), port]])));
  assert.match(text, new RegExp(`Port ${port} of 127\\.0\\.0\\.1, for grafana, is taken by nginx \\(process 12\\)`));
  assert.match(text, /Stop it, or choose another: npm run port-forward -- grafana --port \d+/);
  await new Promise((resolve) => server.close(resolve));
  await assertPortFree(exec, named('grafana'), port);
});

test('each 0 becomes a free port of its own, also beside those that are named', async () => {
  const exec = fakeExec(() => undefined);
  const none = new Map(destinations.map((destination) => [destination, 0]));
  const ports = [...(await choosePorts(exec, none)).values()];
  assert.equal(new Set(ports).size, destinations.length);
  const [first = assert.fail(), ...others] = destinations;
  const mixed = await choosePorts(exec, new Map([...others.map((one) => [one, 0] as const), [first, ports[0] ?? 0]]));
  assert.equal(mixed.get(first), ports[0]);
  assert.equal(new Set(mixed.values()).size, destinations.length);
  for (const port of mixed.values()) await assertPortFree(exec, first, port);
});

test('the addresses come with what one needs to log in, but no password', () => {
  const ports = new Map(['prometheus', 'grafana', 'api'].map((name, index) => [named(name), 3000 + index]));
  assert.deepEqual(forwardLines(ports), [
    '  prometheus  http://127.0.0.1:3000',
    '  grafana     http://127.0.0.1:3001       user admin, the password by npm run passwords -- grafana',
    '  api         http://127.0.0.1:3002/info',
  ]);
  assert.deepEqual(JSON.parse(forwardJson(ports)), {
    forwards: [
      { name: 'prometheus', url: 'http://127.0.0.1:3000', port: 3000 },
      { name: 'grafana', url: 'http://127.0.0.1:3001', port: 3001, user: 'admin' },
      { name: 'api', url: 'http://127.0.0.1:3002/info', port: 3002 },
    ],
  });
});

test('what changes is told in a line', () => {
  const tell = (change: Parameters<typeof eventLine>[1]) => eventLine('api', change);
  assert.equal(tell({ kind: 'leads', pod: 'a', seconds: 0.44 }), '✔ api leads to the pod a (after 0.4 s)');
  assert.match(tell({ kind: 'waits' }), /no pod of it is ready/);
  assert.match(tell({ kind: 'ended', pod: 'a', why: 'lost connection to pod' }), /lost the pod a: lost connection/);
  assert.match(tell({ kind: 'failed', pod: 'a', why: 'refused' }), /can't reach the pod a and tries again: refused/);
});

interface Following {
  /** What becomes of each time that the API server is asked: the lines of a watch, or why there is none. */
  turns: (string[] | Error)[];
  /** Whether the node is there when Docker is asked. */
  node?: () => boolean;
  kubeconfig?: () => string;
}

/** Follows through those turns, and then an interruption. Hands back what was told, and what ended it. */
async function followed({ turns, node = () => true, kubeconfig }: Following) {
  const folder = await temporaryFolder();
  const file = join(folder, 'kubeconfig');
  await writeFile(file, 'one');
  const controller = new AbortController();
  const left = [...turns];
  const next = () => {
    const turn = left.shift();
    if (turn === undefined) controller.abort();
    return turn ?? [];
  };
  let lines: string[] = [];
  const context = fakeContext({
    signal: controller.signal,
    kubeconfig: file,
    node: 'x-control-plane',
    config: { clusterName: 'x' },
    exec: fakeExec(() => {
      if (!node()) return { exitCode: 1, stderr: 'Error: No such container: x-control-plane' };
      return { stdout: JSON.stringify([{ State: { Status: 'running' }, Config: { Image: 'i' }, HostConfig: {} }]) };
    }),
    api: () => ({
      async json() {
        const turn = next();
        if (kubeconfig) await writeFile(file, kubeconfig());
        if (turn instanceof Error) throw turn;
        lines = turn;
        return { metadata: { resourceVersion: '7' }, items: [slice('prometheus', [{ name: 'a' }])] };
      },
      async lines(path: string, _silence: number, onLine: (line: string) => void) {
        assert.match(path, /watch=1&resourceVersion=7&/);
        for (const line of lines) onLine(line);
      },
    }),
  });
  const told: string[] = [];
  const end = await watchEndpoints(context, {
    onSlices: (slices, wasLost) => told.push(`${wasLost ? 'again ' : ''}${podOf(slices) ?? 'none'}`),
    onLost: (why) => told.push(`lost: ${why}`),
  }).catch((error: Error) => error);
  return { told, end };
}

const event = (type: string, pods: Pod[]) => JSON.stringify({ type, object: slice('prometheus', pods) });
const silent = new Unreachable('the API server does not answer');

test('what is behind the Services is told at first and after each change, also across the end of a watch', async () => {
  const { told, end } = await followed({
    turns: [[event('MODIFIED', [{ name: 'b' }]), event('DELETED', []), event('ERROR', [{ name: 'c' }])], []],
  });
  assert.deepEqual(told.slice(0, 4), ['a', 'b', 'none', 'a']);
  assert(end instanceof Interrupted);
});

test('that the API server was lost is told once, and with what is seen next that it was', async () => {
  const { told } = await followed({ turns: [[], silent, silent, silent, []] });
  assert.deepEqual(told.slice(0, 3), ['a', 'lost: the API server does not answer', 'again a']);
});

test('once the node is gone, or another cluster has taken its place, it ends with a sentence', async () => {
  for (const gone of [{ node: () => false }, { kubeconfig: () => 'two' }]) {
    const { end } = await followed({ turns: [[], silent, silent], ...gone });
    assert.match((end as Error).message, /^The cluster x was deleted, so nothing is forwarded any more\.$/);
  }
});
