import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { plantedSecrets } from './canary.ts';
import { eventually, viewOf } from './cluster-view.ts';
import { demand, type Person } from './support.ts';

const namespace = 'support-canary';
const speaks = 'the canary speaks';

/** That `npm run support-bundle` tells what happened in a cluster, and nothing of its Secrets: a test that leaves it as it is. */
export function supportPromises(used: () => { person: Person; cluster: string }): void {
  it('writes a file for support that has pods, events and logs in it, and nothing of any Secret that they say', async () => {
    const { person, cluster } = used();
    const { kubectl: run, json } = viewOf(person, cluster);
    const kubectl = (...args: string[]) => demand(run(...args));
    const apply = (...objects: object[]) => {
      const file = join(person.home, 'canary.json');
      writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
      return kubectl('apply', '--filename', file);
    };
    const planted = plantedSecrets();
    const metadata = (name: string) => ({ name, namespace });
    await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    // Without it, the API server refuses pods and deletes the token.
    await eventually(
      'the namespace has its ServiceAccount',
      60,
      async () => (await run('get', 'serviceaccount', 'default', `--namespace=${namespace}`)).code === 0,
    );
    await apply(
      ...planted.map(({ name, data }) => ({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: metadata(name),
        stringData: data,
      })),
      {
        apiVersion: 'v1',
        kind: 'Secret',
        type: 'kubernetes.io/service-account-token',
        metadata: { ...metadata('made'), annotations: { 'kubernetes.io/service-account.name': 'default' } },
      },
    );
    let token = '';
    await eventually('the ServiceAccount has its token', 60, async () => {
      const { data } = await json<{ data?: { token?: string } }>('get', 'secret', 'made', `--namespace=${namespace}`);
      token = Buffer.from(data?.token ?? '', 'base64').toString();
      return token !== '';
    });
    const signature = token.split('.').at(-1) ?? '';
    const said = [...planted.flatMap((one) => one.said), `Bearer ${token}`, `cut ${token.slice(0, 700)}`];
    const hidden = [...planted.flatMap((one) => one.hidden), signature, token.slice(400, 700), signature.slice(-40)];

    const image = (
      await kubectl('get', 'deployment/argocd-server', '--namespace=argocd', '--output=jsonpath={..image}')
    ).stdout.split(' ')[0];
    const involvedObject = { apiVersion: 'v1', kind: 'Pod', ...metadata('talker') };
    await apply(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('said'), data: { lines: `${said.join('\n')}\n` } },
      ...said.map((line, i) => ({
        apiVersion: 'v1',
        kind: 'Event',
        metadata: metadata(`said-${i}`),
        ...{ involvedObject, type: 'Warning', reason: 'Said', lastTimestamp: new Date().toISOString() },
        message: line.slice(0, 1000),
      })),
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: metadata('talker'),
        spec: {
          // Started again, it would have said nothing yet at some moments.
          restartPolicy: 'Never',
          containers: [
            {
              ...{ name: 'talker', image, command: ['sh', '-c', `echo ${speaks}; cat /said/lines; exit 1`] },
              volumeMounts: [{ name: 'said', mountPath: '/said' }],
            },
          ],
          volumes: [{ name: 'said', configMap: { name: 'said' } }],
        },
      },
    );
    // The kubelet tells of its end a moment after that: until then it counts as well.
    await eventually('it has said everything, and failed', 120, async () => {
      const { status } = await json<{ status: { phase: string } }>('get', 'pod', 'talker', `--namespace=${namespace}`);
      return status.phase === 'Failed';
    });
    assert((await run('logs', 'talker', `--namespace=${namespace}`)).stdout.includes(signature));

    await demand(person.npm('support-bundle', '--output', 'bundle.log'));
    const text = readFileSync(join(person.clone, 'bundle.log'), 'utf8');
    for (const told of [speaks, `${namespace}/talker`, `Pod ${namespace}/talker Said (1): `, 'Bearer [redacted]'])
      assert(text.includes(told), told);
    for (const part of hidden) assert(!text.includes(part), part);
    await demand(person.run(['rm', 'bundle.log']));
    await kubectl('delete', 'namespace', namespace);
  });
}
