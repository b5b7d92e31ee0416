import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listenOn } from '../../scripts/components/ingress.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';

const controller: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'controller' },
  spec: {
    template: {
      spec: {
        containers: [
          {
            args: [
              '--http-port=8080',
              '--https-port=8443',
              '--healthz-port=10254',
              '--validating-webhook=:9443',
              '--burst=80',
            ],
            ports: [
              { name: 'http', containerPort: 8080, hostPort: 80 },
              { name: 'https', containerPort: 8443, hostPort: 443 },
              { name: 'metrics', containerPort: 10254 },
              { name: 'webhook', containerPort: 9443 },
            ],
          },
        ],
      },
    },
  },
};

/** The ports of the arguments and of the list, in the order above. */
function portsFor(http: number, https: number) {
  const [object] = listenOn([controller], { http, https });
  const spec = object?.spec as {
    template: { spec: { containers: { args: string[]; ports: { containerPort: number; hostPort?: number }[] }[] } };
  };
  const [container] = spec.template.spec.containers;
  assert(container);
  assert.deepEqual(
    container.ports.map(({ hostPort }) => hostPort),
    [80, 443, undefined, undefined],
    'the ports of the node stay',
  );
  assert.equal(container.args.at(-1), '--burst=80', 'no port');
  const inArgs = container.args.slice(0, 4).map((arg) => Number(arg.match(/\d+$/)?.[0]));
  const listed = container.ports.map(({ containerPort }) => containerPort);
  assert.deepEqual(inArgs, listed);
  assert.equal(new Set(listed).size, listed.length, 'each port once');
  return listed;
}

const cases: [string, http: number, https: number, expected: number[]][] = [
  ['the default', 8080, 8443, [8080, 8443, 10254, 9443]],
  ['others', 28080, 28443, [28080, 28443, 10254, 9443]],
  ['those of the Internet', 80, 443, [80, 443, 10254, 9443]],
  ['swapped', 8443, 8080, [8443, 8080, 10254, 9443]],
  ['HTTPS on the port of the metrics', 8080, 10254, [8080, 10254, 8443, 9443]],
  ['HTTP on the port of the metrics, HTTPS as it is', 10254, 8443, [10254, 8443, 8080, 9443]],
  ['both on ports of its own', 9443, 10254, [9443, 10254, 8080, 8443]],
  ['HTTPS on the port of HTTP, HTTP on the webhook’s', 9443, 8080, [9443, 8080, 10254, 8443]],
];
for (const [what, http, https, expected] of cases) {
  test(`the controller listens on the ports that the person uses: ${what}`, () =>
    assert.deepEqual(portsFor(http, https), expected));
}

test('the manifest itself stays as it is, and so does what is no Deployment', () => {
  const before = structuredClone(controller);
  const other: KubeObject = { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' } };
  assert.equal(listenOn([controller, other], { http: 1, https: 2 })[1], other);
  assert.deepEqual(controller, before);
});

test('a controller without a port for HTTPS is a mistake in the manifest', () => {
  const bare = structuredClone(controller);
  (
    bare.spec as { template: { spec: { containers: { ports: unknown[] }[] } } }
  ).template.spec.containers[0]?.ports.splice(1, 1);
  assert.throws(() => listenOn([bare], { http: 1, https: 2 }), /no port https/);
});
