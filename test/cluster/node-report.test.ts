import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitForNodeReport } from '../../scripts/cluster/node.ts';
import { ApiError, Unreachable } from '../../scripts/kubernetes/api/api.ts';
import { fakeContext, fakeExec, refusal } from '../support/fakes.ts';

const started = '2026-03-01T12:00:00Z';

/** The pods of one look: since when each is told to run, by name. */
type Pods = Record<string, string | undefined>;

/** A node that was started then, and whose lease says at one look after the other when it was renewed; the same of its pods. */
function nodeWith(renewals: (string | Error)[], timeout = 5000, pods: Pods[] = [{}]) {
  const container = {
    State: { Status: 'running', StartedAt: started },
    Config: { Image: 'x' },
    HostConfig: { Binds: null, PortBindings: null },
  };
  const asked: string[] = [];
  const json = async (path: string) => {
    asked.push(path);
    const next = renewals.length > 1 ? renewals.shift() : renewals[0];
    if (next instanceof Error) throw next;
    return { spec: { renewTime: next } };
  };
  const list = async () =>
    Object.entries((pods.length > 1 ? pods.shift() : pods[0]) ?? {}).map(([name, startedAt]) => ({
      kind: 'Pod',
      metadata: { name, namespace: 'argocd' },
      status: { containerStatuses: [{ state: startedAt ? { running: { startedAt } } : { waiting: {} } }] },
    }));
  const context = fakeContext({
    node: 'x-control-plane',
    timeout,
    signal: new AbortController().signal,
    exec: fakeExec((line) => (line.includes('inspect') ? { stdout: JSON.stringify([container]) } : {})),
    api: () => ({ json, list }),
  });
  return { context, asked };
}

test('what a node said before it was stopped is no report; what it says afterwards is', async () => {
  const { context, asked } = nodeWith([
    '2026-03-01T11:59:59.900000Z',
    new Unreachable('starting'),
    new ApiError('/x', 404, 'not found'),
    '2026-03-01T12:00:04.100000Z',
  ]);
  await waitForNodeReport(context);
  assert.equal(asked.length, 4);
  assert.match(asked[0] ?? '', /\/namespaces\/kube-node-lease\/leases\/x-control-plane$/);
});

test('a kubelet that stays silent is told, with where it says why', async () => {
  const { context } = nodeWith(['2026-03-01T11:00:00Z'], 20);
  const { text } = await refusal(() => waitForNodeReport(context));
  assert.match(
    text,
    /^Timed out after 0\.02 s: the kubelet of x-control-plane has not reported since the node was started/,
  );
  assert.match(text, /\ndocker exec x-control-plane journalctl --unit kubelet tells why; npm run down && npm run up/);
});

test('a pod that is told to have run all along was not looked at yet', async () => {
  const told = '2026-03-01T12:00:04Z';
  const { context, asked } = nodeWith([told], 5000, [
    { redis: '2026-03-01T11:59:00Z', server: told },
    { redis: undefined, server: told },
  ]);
  await waitForNodeReport(context);
  assert.equal(asked.length, 2);
  const { context: never } = nodeWith([told], 20, [{ redis: '2026-03-01T11:59:00Z' }]);
  const { text } = await refusal(() => waitForNodeReport(never));
  assert.match(text, /has not reported on Pod argocd\/redis since the node was started/);
});
