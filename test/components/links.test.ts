// The links that Argo CD shows: what up writes into its settings, and into the Application of a service with an Ingress.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { linkParameters, withLinks } from '../../scripts/components/links.ts';
import { readCheckout } from '../../scripts/lib/git/checkout.ts';
import { dashboardUids } from '../../scripts/repository/generated/monitoring.ts';
import { fakeContext, temporaryFolder } from '../support/fakes.ts';
import { at, find, needsHelm, render, root } from '../support/helm.ts';
import { commit, createRepository, gitExec } from '../support/repository.ts';

const ports = { http: 9080, https: 9443 };
const read = (file: string) => readFileSync(join(root, file), 'utf8');

const settings: Record<string, string> = parse(read('cluster/argocd/full/argocd-cm.yaml')).data;
const linksIn = (data: Record<string, string>) => parse(data['application.links'] ?? '') as Record<string, string>[];

test("an Application's link leads to Grafana at the port that is set, where there is a dashboard of its name", () => {
  const edited = withLinks(settings, ports, ['gateway', 'prometheus']);
  assert.deepEqual(
    linksIn(edited).map(({ url, if: condition }) => [url, condition]),
    [['https://grafana.localhost:9443/d/{{.app.metadata.name}}', 'app.metadata.name in ["gateway","prometheus"]']],
  );
  assert.equal(edited.url, 'https://argocd.localhost:9443');
  const others = ({ url: _, 'application.links': __, ...rest }: Record<string, string>) => rest;
  assert.deepEqual(others(edited), others(settings), 'nothing else is edited');
});

test('as they are written, the links are right by hand as well: for each service, at the default port', async () => {
  const [link] = linksIn(settings);
  const names: string[] = JSON.parse(link?.if?.replace(/^app\.metadata\.name in /, '') ?? '');
  assert.deepEqual(names, ['api-node', 'core-go', 'worker-python']);
  const uids = await dashboardUids(root);
  assert.deepEqual(
    names.filter((name) => !uids.includes(name)),
    [],
  );
});

/** A commit with a service of that name, which has api-node's values. */
async function contextWith(name: string, own: typeof ports, values = read('helm/api-node/values-dev.yaml')) {
  const top = createRepository(join(await temporaryFolder(), 'repository'));
  const source = { path: `helm/${name}`, helm: { valueFiles: ['values.yaml', 'values-dev.yaml'] } };
  const application = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Application', metadata: { name }, spec: { source } };
  commit(top, 'Start', {
    [`argocd/${name}.yaml`]: JSON.stringify(application),
    [`helm/${name}/values.yaml`]: read('helm/api-node/values.yaml'),
    [`helm/${name}/values-dev.yaml`]: values,
  });
  return fakeContext({
    config: { root: top, environment: 'dev', ports: own },
    exec: gitExec,
    checkout: () => readCheckout(gitExec, top),
  });
}

test(
  "Argo CD's own link to a service has the port that is set, by a parameter that helm takes",
  needsHelm,
  async () => {
    const parameters = (await linkParameters(await contextWith('gateway', ports))).get('gateway') ?? [];
    assert.equal(parameters.length, 1);
    const options = parameters.flatMap(({ name, value }) => ['--set', `${name}=${value}`]);
    const ingress = find(await render('api-node', { environment: 'dev', options }), 'Ingress');
    const annotations = at(ingress, 'metadata', 'annotations') as Record<string, string>;
    assert.equal(annotations['link.argocd.argoproj.io/external-link'], 'https://api.localhost:9443/info');
    assert.equal(annotations['argocd.argoproj.io/ignore-default-links'], 'true');
  },
);

test('with the default ports, and where the values state no such link, an Application stays as it is', async () => {
  const standard = await linkParameters(await contextWith('gateway', { http: 8080, https: 8443 }));
  assert.deepEqual([...standard], []);
  const none = await linkParameters(
    await contextWith('gateway', ports, 'ingress:\n  hosts: [{ host: a.localhost }]\n'),
  );
  assert.deepEqual(none.get('gateway'), []);
  assert.deepEqual([...(await linkParameters(await contextWith('gateway', ports, 'ingress: [\n')))], []);
});
