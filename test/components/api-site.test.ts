import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { drillServices } from '../../scripts/checks/drill/drill.ts';
import { type ApiSite, apiSite, findApiSite, missingPart } from '../../scripts/components/services.ts';
import { readCheckout } from '../../scripts/lib/git/checkout.ts';
import { fakeContext, refusal, temporaryFolder } from '../support/fakes.ts';
import { commit, createRepository, gitExec } from '../support/repository.ts';

interface Service {
  hosts?: string[];
  calls?: string[];
  namespace?: string;
  /** A chart of somebody's own, that says neither image nor replicas. */
  byHand?: true;
}

/** A commit with these services, and nothing else. */
async function contextWith(services: Record<string, Service>) {
  const root = createRepository(join(await temporaryFolder(), 'repository'));
  const files = Object.entries(services).flatMap(([name, { hosts, calls = [], namespace, byHand }]) => {
    const source = { path: `helm/${name}`, helm: { valueFiles: ['values.yaml'] } };
    const application = { kind: 'Application', metadata: { name }, spec: { source, destination: { namespace } } };
    const values = {
      ...(!byHand && { image: { repository: `ghcr.io/a/${name}`, tag: 'abc' }, replicaCount: 1 }),
      networkPolicy: { toServices: calls.map((one) => ({ name: one, port: 1 })) },
      ...(hosts && {
        ingress: {
          enabled: true,
          hosts: hosts.map((host) => ({ host })),
          tls: [{ secretName: 'tls', hosts }],
        },
      }),
    };
    return [
      [`argocd/${name}.yaml`, JSON.stringify({ apiVersion: 'argoproj.io/v1alpha1', ...application })],
      [`helm/${name}/values.yaml`, `${JSON.stringify(values)}\n`],
    ];
  });
  commit(root, 'Start', { ...Object.fromEntries(files), README: 'x\n' });
  return fakeContext({
    config: { root, environment: 'dev' },
    exec: gitExec,
    checkout: () => readCheckout(gitExec, root),
  });
}

test('the API is the service with an Ingress, whatever it is called, with the one that it calls', async () => {
  const site = await apiSite(
    await contextWith({
      backend: {},
      gateway: { hosts: ['api.localhost'], calls: ['backend'], namespace: 'edge' },
      admin: { hosts: ['admin.localhost'] },
    }),
  );
  assert.deepEqual(site, {
    ...{ service: 'gateway', namespace: 'edge', upstream: 'backend', host: 'api.localhost', program: 'gateway' },
    secret: { namespace: 'edge', name: 'tls' },
  });
  const first = await apiSite(await contextWith({ b: { hosts: ['b.localhost'], calls: ['x', 'y'] }, a: {} }));
  assert.deepEqual([first.service, first.upstream], ['b', undefined]);
});

test('where no service has an Ingress there is no API, which only who needs it is told; one without a host is a mistake', async () => {
  const none = await contextWith({ a: {} });
  assert.equal(await findApiSite(none), undefined);
  assert.equal((await refusal(() => apiSite(none))).error.id, 'values-invalid');
  const hostless = await contextWith({ a: { hosts: [] } });
  assert.match((await refusal(() => findApiSite(hostless))).text, /values of a .*no host[\s\S]*helm\/a\/values-dev/);
});

test('an answer of api-node has to have in it what the service that it calls has answered, whatever both are called', () => {
  const context = fakeContext({ config: { ports: { https: 8443 } } });
  const why = (answer: string, more: Partial<ApiSite> = {}) =>
    missingPart(context, { ...site, ...more } as ApiSite, answer);
  const site = {
    service: 'gateway',
    program: 'api-node',
    upstream: 'backend',
    host: 'api.localhost',
    secret: { namespace: 'x', name: 'y' },
  };
  assert.equal(why('{"upstream":{"service":"core-go"}}'), undefined);
  for (const answer of ['<html>', '{}', '{"upstream":{}}'])
    assert.match(why(answer) ?? '', /api\.localhost:8443\/info answers without backend's answer in it/);
  assert.equal(why('{}', { program: 'another' }), undefined);
  assert.equal(why('{}', { upstream: undefined }), undefined);
});

const own: Service = { byHand: true };
const scenes: [
  what: string,
  services: Record<string, Service>,
  front: string | undefined,
  middle: string,
  back: string,
][] = [
  [
    'renamed services',
    { gateway: { hosts: ['api.x'], calls: ['backend'] }, backend: {}, jobs: {} },
    'gateway',
    'backend',
    'jobs',
  ],
  [
    'one that is removed',
    { gateway: { hosts: ['api.x'], calls: ['backend'] }, backend: {} },
    'gateway',
    'backend',
    'backend',
  ],
  ['a single one', { gateway: { hosts: ['api.x'] } }, 'gateway', 'gateway', 'gateway'],
  ['no Ingress', { backend: {}, jobs: {} }, undefined, 'backend', 'jobs'],
  [
    'a chart by hand, which no drill can change',
    { backend: {}, own: { ...own, hosts: ['api.x'] } },
    undefined,
    'backend',
    'backend',
  ],
];
for (const [what, services, front, middle, back] of scenes)
  test(`drills are about ${what}`, async () => {
    const chosen = await drillServices(await contextWith(services));
    assert.deepEqual([chosen.front?.name, chosen.middle.name, chosen.back.name], [front, middle, back]);
  });

test('without a service that a drill can change, there is nothing to drill', async () => {
  await refusal(async () => drillServices(await contextWith({ own })));
});
