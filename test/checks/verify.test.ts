// What each check of `npm run verify` finds on a recorded cluster in which one thing was changed. UPDATE_GOLDEN=1 npm test -- verify
// writes test/golden/verify-findings.txt: read the diff.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { capacityForADay, readPrometheusLimits, sizeInBytes } from '../../scripts/checks/verify/capacity.ts';
import { servicePods } from '../../scripts/checks/verify/check.ts';
import type { Series } from '../../scripts/checks/verify/live.ts';
import { asksForAbsent } from '../../scripts/checks/verify/rules.ts';
import { runVerification, verificationChecks } from '../../scripts/checks/verify/run.ts';
import { followCounter } from '../../scripts/checks/verify/traffic.ts';
import { ApiError } from '../../scripts/kubernetes/api/api.ts';
import type { Pod, Workload } from '../../scripts/kubernetes/types.ts';
import { root } from '../support/helm.ts';
import { liveOf, one, type Recorded, recorded } from '../support/monitoring.ts';

type Change = (made: Recorded) => unknown;
const checkOf = (name: string) => verificationChecks.find((each) => each.name === name) ?? assert.fail(name);

/** What a check finds on a cluster that was changed: each finding with its remedy below it, and whether it is waited for. */
async function findings(name: string, ...changes: Change[]): Promise<string[]> {
  const made = recorded();
  for (const change of changes) change(made);
  const { findings } = await checkOf(name).run(liveOf(made), () => false);
  const found = findings.filter((finding) => finding !== undefined);
  return found.map(({ message, remedy, lasting }) => `${message}\n→ ${remedy}${lasting ? '\n(not waited for)' : ''}`);
}

const podOf = ({ objects }: Recorded, service: string) =>
  objects.find(
    ({ kind, metadata }) => kind === 'Pod' && metadata.labels?.['app.kubernetes.io/name'] === service,
  ) as Pod;
const deploymentOf = ({ objects }: Recorded, name: string) =>
  objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === name) as Workload;
const targetOf = (made: Recorded, service: string) =>
  made.targets.activeTargets.find(({ labels }) => labels.pod === podOf(made, service).metadata.name) ??
  assert.fail(service);
const targetOfPrometheus = ({ targets }: Recorded) =>
  targets.activeTargets.find(({ scrapePool }) => scrapePool === 'prometheus') ?? assert.fail();
const ruleOf = ({ rules }: Recorded) => rules.find(({ file }) => file.endsWith('/red.yml'))?.rules[0] ?? assert.fail();

const withoutTarget = (service: string) => (made: Recorded) => {
  const gone = targetOf(made, service);
  made.targets.activeTargets = made.targets.activeTargets.filter((target) => target !== gone);
};

/** Has a rule of the job leave out the pod of core-go, for the value of one of its labels. */
const dropped = (label: string, value: string, action: string) => (made: Recorded) => {
  const discoveredLabels = { ...made.discovered[podOf(made, 'core-go').metadata.name], [label]: value };
  const rule = { separator: ';', regex: 'promised', action };
  withoutTarget('core-go')(made);
  // The last of them is of a job that looks at other pods.
  for (const scrapePool of ['apiserver', 'services', 'kubelet'])
    made.targets.droppedTargets.push({ discoveredLabels, scrapePool });
  made.relabelSteps = ({ scrapePool }) =>
    scrapePool === 'services'
      ? [
          { rule: { ...rule, action: 'replace' }, output: { [label]: value }, keep: true },
          { rule: { ...rule, source_labels: [label, 'none'] }, output: {}, keep: false },
        ]
      : [{ rule: { ...rule, source_labels: ['role'] }, output: {}, keep: false }];
};

const down =
  (lastError: string, more: object = {}) =>
  (made: Recorded) =>
    Object.assign(targetOf(made, 'core-go'), { health: 'down', lastError, ...more });

/** What queries are answered, by what they ask for; all others have one series of the value 1. */
const answering = (pattern: RegExp, answer: Series[] | Error) => (made: Recorded) => {
  made.answer = (query) => (pattern.test(query) ? answer : [one]);
};
const empty = (pattern: RegExp) => answering(pattern, []);
const valued = (value: string): Series[] => [{ ...one, value: [0, value] }];

const set = (change: Partial<Recorded>) => (made: Recorded) => Object.assign(made, change);

const refusing: Recorded['status'] = {
  state: 'unready',
  missing: 'Prometheus refuses its configuration, and goes on with the one before',
};
const logOfRefusal = [
  'time=2026-11-26T15:00:00.000Z level=INFO source=main.go:1 msg="Loading configuration file"',
  'time=2026-11-26T15:00:00.000Z level=ERROR source=manager.go:1 msg="loading groups failed" component="rule manager" err="/etc/prometheus/rules/red.yml: 5:7: group \\"red\\", rule 1: could not parse expression"',
  'time=2026-11-26T15:00:00.000Z level=ERROR source=main.go:2 msg="Failed to apply configuration" err="error loading rules, previous rule set restored"',
  'time=2026-11-26T15:00:00.000Z level=ERROR source=main.go:3 msg="Error reloading config" err="one or more errors occurred while applying the new configuration"',
].join('\n');

/** A policy that selects other pods, and an API server that reaches the pod of core-go at its own port and path. */
const policyInTheWay = (made: Recorded) => {
  const { port } = new URL(targetOf(made, 'core-go').scrapeUrl);
  const others = { matchExpressions: [{ key: 'app.kubernetes.io/name', operator: 'NotIn', values: ['core-go'] }] };
  made.objects.push({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'of-others', namespace: 'default' },
    spec: { podSelector: others },
  });
  const proxied = new RegExp(`/namespaces/default/pods/core-go-[^/]+:${port}/proxy/metrics$`);
  made.get = (path) => (proxied.test(path) ? '# HELP' : undefined);
  down('context deadline exceeded')(made);
};
const refusedType = (reason: string) => (made: Recorded) => {
  made.get = () => '# HELP';
  down(`${reason} and no fallback_scrape_protocol specified for target`)(made);
};

/** Counters that rise by 100 with each query, all but one. */
const stuckCounter = (made: Recorded) => {
  let looks = 0;
  made.answer = (query) => {
    looks += 1;
    return valued(String(/core-go/.test(query) ? 5 : looks * 100));
  };
};
const withoutObject = (find: (made: Recorded) => object) => (made: Recorded) => {
  const gone = find(made);
  made.objects = made.objects.filter((object) => object !== gone);
};

const faults: Record<string, Record<string, Change>> = {
  services: {
    'a service without a Deployment': withoutObject((made) => deploymentOf(made, 'core-go')),
    'a service that was scaled to zero': (made) => Object.assign(deploymentOf(made, 'api-node').spec, { replicas: 0 }),
    'a service whose pods are not ready': (made) =>
      Object.assign(deploymentOf(made, 'api-node').status ?? {}, { availableReplicas: 0 }),
  },
  prometheus: {
    'a missing Prometheus': set({ status: { state: 'absent', missing: 'Deployment x/prometheus is missing' } }),
    'a configuration that is refused, with the reason from its log': set({
      status: refusing,
      get: (path) => (/observability\/pods\/prometheus-\S+\/log\?/.test(path) ? logOfRefusal : undefined),
    }),
    'a configuration that is refused, without a log that says why': set({ status: refusing }),
  },
  discovery: {
    'a Role without a verb': set({
      may: (verb, resource, namespace) => !(verb === 'watch' && resource === 'pods' && namespace === 'default'),
    }),
  },
  targets: {
    'a renamed port': dropped('__meta_kubernetes_pod_container_port_name', 'web', 'keep'),
    'a label that a rule drops': dropped('__meta_kubernetes_pod_label_app_kubernetes_io_part_of', 'x', 'drop'),
    'a pod that discovery does not know': withoutTarget('core-go'),
    'a pod that is two targets': (made) =>
      made.targets.activeTargets.push({ ...targetOf(made, 'core-go'), scrapeUrl: 'http://x:9/metrics' }),
    'a target whose pod is gone': withoutObject((made) => podOf(made, 'core-go')),
    'a target that was not scraped yet': (made) => Object.assign(targetOf(made, 'core-go'), { health: 'unknown' }),
    'a wrong path': down('server returned HTTP status 404 Not Found', { scrapeUrl: 'http://x/metricz' }),
    'a NetworkPolicy in the way of Prometheus, but not of the API server': policyInTheWay,
    'a pod that does not answer': down('dial tcp 10.0.0.1:8080: connect: connection refused'),
    'a pod that serves metrics with a wrong Content-Type': refusedType('received unsupported Content-Type "text/html"'),
    'a pod that serves metrics with a blank Content-Type': refusedType(
      'non-compliant scrape target sending blank Content-Type',
    ),
    'a pod that answers with an error': down('server returned HTTP status 500 Internal Server Error'),
  },
  labels: {
    'a label that the rules do not set': (made) => Reflect.deleteProperty(targetOf(made, 'core-go').labels, 'version'),
    'a label with another value': (made) => Object.assign(targetOf(made, 'core-go').labels, { job: 'services' }),
  },
  jobs: {
    'a job without a target': (made) => {
      const gone = targetOfPrometheus(made);
      made.targets.activeTargets = made.targets.activeTargets.filter((target) => target !== gone);
    },
    'a job whose target is down': (made) =>
      Object.assign(targetOfPrometheus(made), { health: 'down', lastError: 'connection refused' }),
  },
  traffic: {
    'requests that do not come through': set({ send: () => 503 }),
    'a counter that does not move': stuckCounter,
  },
  rules: {
    'a rule that fails': (made) =>
      Object.assign(ruleOf(made), { health: 'err', lastError: 'many-to-many matching not allowed' }),
    'a rule that was not evaluated yet': (made) => Object.assign(ruleOf(made), { health: 'unknown' }),
    'an alert on a metric that is missing, however silent it is': empty(/argocd_app_info/),
    'a recording that records nothing': empty(/^service:http_request_errors:rate5m \//),
  },
  grafana: {
    'a missing Grafana': set({ status: { state: 'unready', missing: 'Deployment x/grafana: 0 of 1 pods ready' } }),
    'a changed password': set({ passwordRefused: true }),
    'a dashboard that is missing': (made) => {
      made.grafana = made.grafana.filter(({ uid }) => uid !== 'core-go');
    },
    'a data source under another uid': set({ sources: ['numbers'] }),
  },
  queries: {
    'a metric without series': empty(/worker_jobs_processed_total/),
    'an answer that is not a number': answering(/worker_jobs_processed_total/, valued('NaN')),
    'a query that is not PromQL': answering(
      /worker_jobs_processed_total/,
      new ApiError('/x', 400, '{"status":"error","error":"1:3: parse error: unexpected \\"}\\""}'),
    ),
  },
  capacity: {
    'more than there is room for': answering(/./, valued('1e6')),
    'a Prometheus that does not know yet': empty(/./),
  },
};

const golden = new URL('../golden/verify-findings.txt', import.meta.url);
const told = new Map(
  readFileSync(golden, 'utf8')
    .split(/^## /m)
    .slice(1)
    .map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n')).trim()]),
);
const faulty = Object.entries(faults).flatMap(([check, changes]) =>
  Object.entries(changes).map(([what, change]) => ({ title: `${check}: ${what}`, check, change })),
);
const found = new Map<string, string>();
for (const { title, check, change } of faulty)
  test(title, async () => {
    const [first = 'nothing was found'] = await findings(check, change);
    found.set(title, first);
    if (process.env.UPDATE_GOLDEN === undefined) assert.equal(first, told.get(title));
  });

test('test/golden/verify-findings.txt has the first finding of each fault', () => {
  if (process.env.UPDATE_GOLDEN !== undefined)
    writeFileSync(golden, [...found].map(([title, text]) => `## ${title}\n\n${text}\n`).join('\n'));
  else
    assert.deepEqual(
      [...told.keys()],
      faulty.map(({ title }) => title),
    );
});

for (const { name } of verificationChecks) {
  // Every query of the fake has the answer 1, so no counter moves.
  if (name === 'traffic') continue;
  test(`of a cluster on which all is well, ${name} finds nothing`, async () =>
    assert.deepEqual(await findings(name), []));
}

test('of a service under another name, with a sidecar, every check still finds nothing', async () => {
  const rename = (made: Recorded) => {
    deploymentOf(made, 'core-go').metadata = { ...deploymentOf(made, 'core-go').metadata, name: 'core', labels };
    podOf(made, 'core-go').spec.containers.push({ name: 'proxy', image: 'proxy:1.2.3' } as never);
  };
  const labels = { 'app.kubernetes.io/name': 'core-go' };
  for (const { name } of verificationChecks)
    if (name !== 'traffic') assert.deepEqual(await findings(name, rename), [], name);
});

/** Runs the check of the traffic with these answers, and tells how many requests it sent. */
async function sendTraffic(answer: (query: string, sent: number) => Series[]): Promise<number> {
  let sent = 0;
  const live = liveOf({ ...recorded(), answer: (query) => answer(query, sent) });
  const counting = { ...live, send: (path: string) => live.send(path).finally(() => (sent += 1)) };
  const { signal } = new AbortController();
  const options = { timeoutMs: 60_000, signal, intervalMs: 1 };
  const [outcome] = await runVerification([checkOf('traffic')], counting, options);
  assert.deepEqual(outcome?.findings, []);
  return sent;
}

test('counters that move are fine; those that begin with the requests are given more, of which Prometheus sees a rate', async () => {
  for (const [first, sent] of [
    ['0', 20],
    ['5', 10],
  ] as const) {
    let looks = 0;
    const answer = () => {
      looks += 1;
      return valued(looks > 4 ? '100' : first);
    };
    assert.equal(await sendTraffic(answer), sent);
  }
});

test('traffic is sent again where a pod is replaced meanwhile, and its last counts are gone with it', async () => {
  let looks = 0;
  const pod = (name: string, value: number): Series => ({ metric: { pod: name }, value: [0, String(value)] });
  const sent = await sendTraffic((query, sent) => {
    if (!/service="core-go"/.test(query)) return [pod('other', 1000 + looks * 100)];
    looks += 1;
    // Four of ten were scraped when the old pod was deleted; the new one counts the next ten.
    if (looks < 3) return [pod('old', looks === 1 ? 500 : 504)];
    return sent > 10 ? [pod('new', 10)] : [];
  });
  assert(sent >= 20, `${sent} requests`);
});

/** The looks at a counter, each with the value of a pod by its name, and what it has risen by since the first. */
const increases: [
  what: string,
  looks: Record<string, number>[],
  total: number,
  flags?: 'vanished' | 'begun' | 'both',
][] = [
  ['the first look is the baseline', [{ a: 5 }], 0],
  [
    'series rise side by side',
    [
      { a: 5, b: 7 },
      { a: 8, b: 9 },
    ],
    5,
  ],
  ['a new series counts from 0', [{ a: 5 }, { a: 5, b: 3 }], 3, 'begun'],
  ['a series that ends takes nothing away of what was seen', [{ old: 500 }, { old: 504 }, { new: 6 }], 10, 'both'],
  ['a series that falls has begun again at 0', [{ a: 500 }, { a: 3 }, { a: 4 }], 4],
  ['one that comes back continues', [{ a: 500 }, {}, { a: 502 }], 2],
  ['one that comes back after a restart counts from 0', [{ a: 500 }, {}, { a: 2 }], 2],
  ['one that is missing has vanished', [{ a: 500 }, {}], 0, 'vanished'],
  ['a counter that was at 0 begins', [{ a: 0 }, { a: 10 }], 10, 'begun'],
  ['a counter that was missing begins', [{}, { a: 10 }], 10, 'begun'],
];
for (const [what, looks, total, flags] of increases)
  test(what, () => {
    const follow = followCounter();
    const series = (pods: Record<string, number>) =>
      Object.entries(pods).map(([pod, value]): Series => ({ metric: { pod }, value: [0, String(value)] }));
    const vanished = flags === 'vanished' || flags === 'both';
    const begun = flags === 'begun' || flags === 'both';
    assert.deepEqual(looks.map((pods) => follow(series(pods))).at(-1), { total, vanished, begun });
  });

test('labels tell series apart, in whichever order they come', () => {
  const follow = followCounter();
  follow([{ metric: { pod: 'a', status: '200' }, value: [0, '5'] }]);
  assert.equal(follow([{ metric: { status: '200', pod: 'a' }, value: [0, '6'] }]).total, 1);
  assert.equal(follow([{ metric: { status: '500', pod: 'a' }, value: [0, '6'] }]).total, 7);
});

const exposing = (...names: string[]) => set({ metrics: new Map([['worker-python', names]]) });

test('a rule that may be empty is no finding as long as it can have data', async () => {
  const rules = ['ApplicationOutOfSync', 'ApplicationDegraded'].map((rule) => ({ rule, reason: 'Because.' }));
  const allowed = [set({ allowed: { panels: [], rules } }), empty(/argocd_app_info/)];
  assert.deepEqual(await findings('rules', ...allowed, exposing('argocd_app_info')), []);
  assert.match((await findings('rules', ...allowed))[0] ?? '', /^The rule ApplicationOutOfSync .* argocd_app_info\./);
});

test('a panel that may be empty is no finding as long as it can have data', async () => {
  const metric = 'worker_jobs_processed_total';
  const named = (await findings('queries', empty(/worker_jobs_processed_total/))).map(
    (text) => /^The panel "(.+)" of ([\w-]+) /.exec(text) ?? assert.fail(text),
  );
  const panels = named.map(([, panel = '', dashboard = '']) => ({ dashboard, panel, reason: 'Because.' }));
  const allowed = set({ allowed: { panels, rules: [] } });
  const nothing = empty(/worker_jobs_processed_total/);
  assert.deepEqual(await findings('queries', allowed, nothing, exposing(metric)), []);
  assert.match(
    (await findings('queries', allowed, nothing, exposing()))[0] ?? '',
    /exposes or records the metric worker_jobs_pro/,
  );
  // The metric has series, and none of them with a label that the query asks for.
  const unlabelled = empty(/^(?!count\(\w+\)$).*worker_jobs_processed_total/);
  assert.match(
    (await findings('queries', allowed, unlabelled))[0] ?? '',
    /: worker_jobs_processed_total has no label /,
  );
  const unreadable = answering(/./, new ApiError('/x', 400, '{"error":"parse error"}'));
  assert.match((await findings('queries', allowed, unreadable))[0] ?? '', /parse error/);
});

test('a rule that asks ingress-nginx only has nothing to do under Traefik, and the others are checked as ever', async () => {
  const query = 'nginx_ingress_controller_requests > 1 unless job:x';
  const rules: Recorded['rules'][number]['rules'] = [
    { name: 'a', type: 'recording', query: 'group(up{job="ingress-nginx"})', health: 'ok' },
    { name: 'B', type: 'alerting', query, health: 'ok' },
  ];
  const given = set({ ingressController: 'traefik', rules: [{ file: '/etc/prometheus/rules/red.yml', rules }] });
  assert.deepEqual(await findings('rules', given, empty(/nginx/)), []);
  assert.match((await findings('rules', given, empty(/nginx|job:x/)))[0] ?? '', /^The rule B of red\.yml .* job:x /);
  assert.equal((await findings('rules', given, empty(/nginx/), set({ ingressController: 'nginx' }))).length, 2);
});

test('where Grafana can not be asked, the panels are those of this checkout', async () => {
  const nothing = empty(/worker_jobs_processed_total/);
  assert.notDeepEqual(await findings('queries', nothing, set({ passwordRefused: true })), []);
});

const mebibyte = 1024 * 1024;
const room = { disk: 512 * mebibyte, memory: 512 * mebibyte };
const load = { samplesPerSecond: 500, bytesPerSample: 1.5, series: 7000 };

test('a day fits, and the calculation is shown; until a block is written, the size of a sample is assumed', () => {
  assert.deepEqual(capacityForADay(load, room), {
    fits: true,
    sentences: [
      '24 h × 500 samples/s × 1.50 bytes/sample (measured) = 62 MiB of 512 MiB of disk',
      '120 MiB + 7000 series × 8 KiB = 175 MiB of 512 MiB of memory',
    ],
  });
  const { sentences } = capacityForADay({ ...load, bytesPerSample: undefined }, room);
  assert.match(sentences[0], /3\.00 bytes\/sample \(assumed.* = 124 MiB/);
});

test('a day does not fit the disk, or the memory', () => {
  for (const change of [{ samplesPerSecond: 5000 }, { bytesPerSample: 13 }, { series: 60_000 }])
    assert(!capacityForADay({ ...load, ...change }, room).fits);
});

test('what Prometheus has is what the manifests give it, in the units of Kubernetes and of Prometheus', async () => {
  assert.deepEqual(await readPrometheusLimits(root), room);
  assert.deepEqual(
    ['1Gi', '1.5GB', '512MiB'].map(sizeInBytes),
    [1024, 1536, 512].map((size) => size * mebibyte),
  );
  assert.throws(() => sizeInBytes('lots'), /lots/);
});

test('of a service that was removed, neither its rules nor its panels are missed, and of a renamed one none of its own', async () => {
  const live = liveOf(recorded());
  const kept = (await live.services()).filter(({ name }) => name !== 'worker-python');
  const { activeTargets } = await live.prometheus.targets();
  const without = (program: string) => activeTargets.filter(({ labels }) => labels.job !== program);
  const removed: typeof live = {
    ...live,
    services: async () => kept,
    prometheus: {
      ...live.prometheus,
      targets: async () => ({ activeTargets: without('worker-python'), droppedTargets: [] }),
    },
  };
  for (const query of [
    'up{service="worker-python"}',
    'rate(worker_jobs_processed_total[5m])',
    'service:worker_jobs:rate5m',
  ]) {
    assert.equal(await asksForAbsent(removed, query), true, query);
    assert.equal(await asksForAbsent(live, query), false, query);
  }
  for (const query of ['up{service="core-go"}', 'http_requests_total', 'no_such_metric', 'up{service=""}'])
    assert.equal(await asksForAbsent(removed, query), false, query);
  const ofItself = { name: 'kept', type: 'recording', query: 'up{service="worker-python"} or kept', health: 'ok' };
  const groups = [{ file: 'a.yml', rules: [ofItself] }] as unknown as Awaited<ReturnType<typeof live.prometheus.rules>>;
  const keeping = { ...removed, prometheus: { ...removed.prometheus, rules: async () => groups } };
  assert.equal(await asksForAbsent(keeping, 'kept'), true, 'a rule that records from what it recorded before');
  const renamed = { ...removed, services: async () => kept.map((one) => ({ ...one, name: `my-${one.name}` })) };
  assert.deepEqual(
    await Promise.all(
      [
        'up{service="core-go"}',
        'container_spec_memory_limit_bytes{container="worker-python"}',
        'container_spec_memory_limit_bytes{container="grafana"}',
        'http_requests_total',
      ].map((query) => asksForAbsent(renamed, query)),
    ),
    [true, true, false, false],
  );
});

test('the pods of a service are those in its own namespace, whatever else has its name', async () => {
  const live = liveOf(recorded());
  const services = await live.services();
  const counts = async (namespace: string) => {
    const moved = { ...live, services: async () => services.map((one) => ({ ...one, namespace })) };
    const list: typeof live.list = async (apiVersion, kind, asked) =>
      asked === undefined || asked === namespace ? live.list(apiVersion, kind, 'default') : [];
    return (await servicePods({ ...moved, list })).length;
  };
  assert((await counts('default')) > 0);
  assert.equal(await counts('internal'), 0, 'what is in the default namespace is not that of internal');
});
