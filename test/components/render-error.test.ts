import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { localRepoUrl } from '../../scripts/components/git-source.ts';
import { isPermanent, renderFaults } from '../../scripts/components/render-errors.ts';
import { readCheckout } from '../../scripts/lib/git/checkout.ts';
import type { Application } from '../../scripts/repository/applications.ts';
import { fakeContext, temporaryFolder } from '../support/fakes.ts';
import { commit, createRepository, gitExec, write } from '../support/repository.ts';

const repository = createRepository(join(await temporaryFolder(), 'repository'));
const values = ['image:', '  repository: ghcr.io/a/api-node', '  tag: 1234567', 'shutdown:', '  drainSeconds: 50', ''];
const head = commit(repository, 'Break it', {
  'helm/api-node/values.yaml': values.join('\n'),
  'helm/api-node/values-dev.yaml': '# Nothing\nreplicaCount: "1"\n',
});
// What is edited since then is not what Argo CD rendered.
write(repository, 'helm/api-node/values-dev.yaml', '');

const context = fakeContext({
  config: { root: repository },
  exec: gitExec,
  checkout: () => readCheckout(gitExec, repository),
});

/** As Argo CD v3.5.7 wraps what helm says. */
const fromHelm = (text: string, cached = false) =>
  [
    'Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = ',
    `Manifest generation error${cached ? ' (cached)' : ''}: failed to execute helm template command: `,
    'failed to get command args to log: `helm template . --name-template api-node --namespace default --kube-version 1.34 ',
    '--values <path to cached source>/helm/api-node/values.yaml <api versions removed> --include-crds` failed exit status 1: ',
    'level=INFO msg="found symbolic link in path. Contents of linked file included and used" path=a resolved=b\n',
    text,
  ].join('');

function application(message: string | undefined, annotations = {}): Application {
  const helm = { releaseName: 'api-node', valueFiles: ['values.yaml', 'values-dev.yaml'] };
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name: 'api-node', namespace: 'argocd', annotations },
    spec: { source: { repoURL: localRepoUrl, targetRevision: 'HEAD', path: 'helm/api-node', helm } },
    status: {
      sync: { status: 'Unknown', revision: 'HEAD' },
      ...(message !== undefined && { conditions: [{ type: 'ComparisonError', message }] }),
    },
  };
}

async function told(message: string): Promise<string> {
  const [fault] = renderFaults(context, [application(message)], head);
  if (!fault) throw new Error('nothing was found');
  const error = await fault.explain('it is missing');
  return `${error.message}\n${error.hint}`;
}

const schema = "Error: values don't meet the specifications of the schema(s) in the following chart(s):\napi-node:\n";
const refusals: [string, string, RegExp][] = [
  [
    'a tag that YAML takes for a number',
    `${schema}- at '/image/tag': got number, want string\n`,
    /\n {2}helm\/api-node\/values\.yaml:3: image\.tag: YAML reads a number here.*\n.*quotes/,
  ],
  [
    'a value of the wrong type in the overlay',
    `${schema}- at '/replicaCount': got string, want integer\n`,
    /\n {2}helm\/api-node\/values-dev\.yaml:2: replicaCount: got string, want integer\./,
  ],
  [
    'what a template refuses by a sentence',
    'Error: execution error at (api-node/templates/deployment.yaml:1:4): api-node: shutdown.drainSeconds must be less than shutdown.gracePeriodSeconds (40).\n\nUse --debug flag to render out invalid YAML',
    /\n {2}helm\/api-node\/values\.yaml:5: shutdown\.drainSeconds: api-node: shutdown\.drainSeconds must be less/,
  ],
  [
    'a mistake in a template of the library',
    'Error: template: api-node/templates/deployment.yaml:1:4: executing "api-node/templates/deployment.yaml" at <include "common.deployment" .>: error calling include: template: api-node/charts/common/templates/_pod.tpl:12:28: executing "common.podSpec" at <.Values.nothing.here>: nil pointer evaluating interface {}.here',
    /\n {2}helm\/common\/templates\/_pod\.tpl:12: /,
  ],
  [
    'values that are no YAML',
    'Error: failed to parse <path to cached source>/helm/api-node/values-dev.yaml: cannot unmarshal yaml document: error converting YAML to JSON: yaml: line 2: did not find expected key',
    /\n {2}helm\/api-node\/values-dev\.yaml:2: /,
  ],
];
for (const [what, text, expected] of refusals) {
  test(`${what} is told with its file and line, at once, and also from Argo CD's memory`, async () => {
    for (const message of [fromHelm(text), fromHelm(text, true)]) {
      assert.equal(renderFaults(context, [application(message)], head)[0]?.patience, 0);
      const answer = await told(message);
      assert.match(
        answer,
        new RegExp(`^Argo CD can't render api-node at ${head.slice(0, 7)}; what runs stays as it is`),
      );
      assert.match(answer, expected);
      assert.match(answer, /git revert/);
      assert.doesNotMatch(answer, /rpc error|<path to|level=INFO/);
    }
  });
}

test('an object that the API server refuses is told with its reason', async () => {
  const message =
    'Failed to compare desired state to live state: failed to calculate diff: error calculating server side diff: serverSideDiff error: error running server side apply in dryrun mode for resource Deployment/api-node: Deployment.apps "api-node" is invalid: spec.template.spec.containers[0].resources.requests: Invalid value: "600m": must be less than or equal to cpu limit of 500m';
  assert.equal(isPermanent(message), true);
  assert.match(
    await told(message),
    /helm\/api-node: Kubernetes refuses Deployment api-node: Deployment\.apps .* is invalid/,
  );
});

test('a commit that was checked out by its SHA, and that no branch is at, is told at once with the way out', async () => {
  const message =
    'Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = failed to list refs: unexpected client error: reference not found';
  assert.equal(renderFaults(context, [application(message)], head)[0]?.patience, 0);
  assert.match(
    await told(message),
    /no branch and no tag is at the commit that is checked out\.\ngit switch --create NAME/,
  );
});

const passing = [
  'Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp 10.96.1.1:8081: connect: connection refused"',
  'Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = failed to list refs: dial tcp 10.96.32.1:9418: connect: connection refused',
  'Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = DeadlineExceeded desc = context deadline exceeded',
  fromHelm('signal: killed'),
  'error running server side apply in dryrun mode for resource Ingress/api-node: Internal error occurred: failed calling webhook "validate.nginx.ingress.kubernetes.io": Post "https://x": dial tcp: connect: connection refused',
];
for (const message of passing) {
  test(`what may pass is given time: …${message.slice(-60)}`, async () => {
    const [fault] = renderFaults(context, [application(message)], head);
    assert.ok((fault?.patience ?? 0) >= 20_000);
    assert.equal((await fault?.explain(''))?.id, 'render-error');
  });
}

test('of a commit that this clone does not know, the reason is told as it came', async () => {
  for (const commit of [undefined, 'e'.repeat(40)]) {
    const [fault] = renderFaults(context, [application(fromHelm(`${schema}- at '/replicaCount': got string`))], commit);
    const error = await fault?.explain('');
    assert.match(error?.message ?? '', /replicaCount.*got string/);
  }
});

test('what Argo CD said before it looked again is no fault, and neither is silence', () => {
  const old = fromHelm('Error: something');
  assert.deepEqual(renderFaults(context, [application(old, { 'argocd.argoproj.io/refresh': 'normal' })]), []);
  assert.deepEqual(renderFaults(context, [application(undefined)]), []);
});
