import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Series } from '../../scripts/checks/verify/live.ts';
import { runVerification, verificationChecks } from '../../scripts/checks/verify/run.ts';
import { ApiError } from '../../scripts/kubernetes/api/api.ts';
import type { Pod, Workload } from '../../scripts/kubernetes/types.ts';
import { liveOf, one, type Recorded, recorded } from '../support/monitoring.ts';

const settled = () => false;

/** What a check finds on a cluster that was changed: each finding with its remedy below it. */
async function findings(name: string, change: (made: Recorded) => void = () => {}): Promise<string[]> {
  const made = recorded();
  change(made);
  const check = verificationChecks.find((each) => each.name === name) ?? assert.fail(name);
  const result = await check.run(liveOf(made), settled);
  return result.findings.map(({ message, remedy }) => {
    assert.match(message, /^[A-Z0-9].*[.)]$/s, 'a sentence');
    assert(remedy.length >= 10, `${message} has no remedy`);
    return `${message}\n${remedy}`;
  });
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

/** Has a rule of the job leave out the pod of a service, for the value of one of its labels. */
function drop(made: Recorded, service: string, label: string, value: string, action = 'keep') {
  const { name } = podOf(made, service).metadata;
  const discoveredLabels = { ...made.discovered[name], [label]: value };
  const rule = { separator: ';', regex: 'promised', action };
  made.targets.activeTargets = made.targets.activeTargets.filter(({ labels }) => labels.pod !== name);
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
}

const down = (made: Recorded, service: string, lastError: string) =>
  Object.assign(targetOf(made, service), { health: 'down', lastError });

for (const { name } of verificationChecks) {
  // Every query of the fake has the answer 1, so no counter moves.
  if (name === 'traffic') continue;
  test(`of a cluster on which all is well, ${name} finds nothing`, async () =>
    assert.deepEqual(await findings(name), []));
}

interface Fault {
  check: string;
  what: string;
  change: (made: Recorded) => void;
  says: RegExp;
}

const empty = (pattern: RegExp) => (made: Recorded) => {
  made.answer = (query) => (pattern.test(query) ? [] : [one]);
};

const refusing = {
  state: 'unready',
  missing: 'Prometheus refuses its configuration, and goes on with the one before',
} as const;

const faults: Fault[] = [
  {
    check: 'services',
    what: 'a service without a Deployment',
    change: (made) => void made.objects.splice(made.objects.indexOf(deploymentOf(made, 'core-go')), 1),
    says: /^The service core-go is not there: it has no Deployment\.\nnpm run up$/,
  },
  {
    check: 'services',
    what: 'a service that was scaled to zero',
    change: (made) => Object.assign(deploymentOf(made, 'api-node').spec, { replicas: 0 }),
    says: /^The service api-node has no pod: its Deployment was scaled to zero\.\nkubectl -n default scale deployment\/api-node/,
  },
  {
    check: 'services',
    what: 'a service whose pods are not ready',
    change: (made) => Object.assign(deploymentOf(made, 'api-node').status ?? {}, { availableReplicas: 0 }),
    says: /^The service api-node is not complete: 0 of 1 pods ready\./,
  },
  {
    check: 'prometheus',
    what: 'a Prometheus that is not there',
    change: (made) => {
      made.status = { state: 'absent', missing: 'Deployment observability/prometheus is missing' };
    },
    says: /^Prometheus is not as this checkout has it: Deployment observability\/prometheus is missing\.\nnpm run up$/,
  },
  {
    check: 'prometheus',
    what: 'a configuration that is refused, with the reason from its log',
    change: (made) => {
      made.status = refusing;
      const log = [
        'time=2026-11-26T15:00:00.000Z level=INFO source=main.go:1 msg="Loading configuration file"',
        'time=2026-11-26T15:00:00.000Z level=ERROR source=manager.go:1 msg="loading groups failed" component="rule manager" err="/etc/prometheus/rules/red.yml: 5:7: group \\"red\\", rule 1: could not parse expression"',
        'time=2026-11-26T15:00:00.000Z level=ERROR source=main.go:2 msg="Failed to apply configuration" err="error loading rules, previous rule set restored"',
        'time=2026-11-26T15:00:00.000Z level=ERROR source=main.go:3 msg="Error reloading config" err="one or more errors occurred while applying the new configuration"',
      ].join('\n');
      made.get = (path) => (/observability\/pods\/prometheus-\S+\/log\?/.test(path) ? log : undefined);
    },
    says: /^Prometheus refuses its configuration, and goes on with the one before: .*red\.yml: 5:7: group "red", rule 1: could not parse expression\.\n/,
  },
  {
    check: 'prometheus',
    what: 'a configuration that is refused, without a log that says why',
    change: (made) => {
      made.status = refusing;
    },
    says: /^Prometheus refuses its configuration, and goes on with the one before\.\n.*npm run validate/,
  },
  {
    check: 'discovery',
    what: 'a Role without a verb',
    change: (made) => {
      made.may = (verb, resource, namespace) => !(verb === 'watch' && resource === 'pods' && namespace === 'default');
    },
    says: /^Prometheus may not watch the pods in the namespace default, so that jobs services, apiserver can't find their targets\.\nGive its ServiceAccount prometheus the verb watch for pods/,
  },
  {
    check: 'targets',
    what: 'a renamed port',
    change: (made) => drop(made, 'core-go', '__meta_kubernetes_pod_container_port_name', 'web'),
    says: /^The pod core-go-\S+ is not a target: the job services drops targets whose __meta_kubernetes_pod_container_port_name;none does not match promised, and here it is "web;"\.\n.*helm/,
  },
  {
    check: 'targets',
    what: 'a label that a rule drops',
    change: (made) => drop(made, 'core-go', '__meta_kubernetes_pod_label_app_kubernetes_io_part_of', 'x', 'drop'),
    says: /whose \S+_part_of;none matches promised, and here it is "x;"\./,
  },
  {
    check: 'targets',
    what: 'a pod that discovery does not know',
    change: (made) => {
      const { name } = podOf(made, 'core-go').metadata;
      made.targets.activeTargets = made.targets.activeTargets.filter(({ labels }) => labels.pod !== name);
    },
    says: /^The pod core-go-\S+ is not a target: Prometheus has not found it\./,
  },
  {
    check: 'targets',
    what: 'a pod that is two targets',
    change: (made) =>
      void made.targets.activeTargets.push({ ...targetOf(made, 'core-go'), scrapeUrl: 'http://x:9/metrics' }),
    says: /^The pod core-go-\S+ is 2 targets \(http:\S+, http:\/\/x:9\/metrics\), so that it counts 2 times\.\n.*rules of services/,
  },
  {
    check: 'targets',
    what: 'a target whose pod is gone',
    change: (made) => void made.objects.splice(made.objects.indexOf(podOf(made, 'core-go')), 1),
    says: /^Prometheus still scrapes the pod core-go-\S+, which is gone\./,
  },
  {
    check: 'targets',
    what: 'a target that was not scraped yet',
    change: (made) => Object.assign(targetOf(made, 'core-go'), { health: 'unknown' }),
    says: /^The pod core-go-\S+ has not been scraped yet\./,
  },
  {
    check: 'targets',
    what: 'a wrong path',
    change: (made) =>
      Object.assign(down(made, 'core-go', 'server returned HTTP status 404 Not Found'), {
        scrapeUrl: 'http://x/metricz',
      }),
    says: /answers 404 to http:\/\/x\/metricz: the job services asks for \/metricz, and the metrics are elsewhere\.\nCorrect metrics_path of the job services/,
  },
  {
    check: 'targets',
    what: 'a NetworkPolicy in the way of Prometheus, but not of the API server',
    change: (made) => {
      const { scrapeUrl } = down(made, 'core-go', 'context deadline exceeded');
      const { port } = new URL(scrapeUrl);
      const others = { matchExpressions: [{ key: 'app.kubernetes.io/name', operator: 'NotIn', values: ['core-go'] }] };
      made.objects.push({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: 'of-others', namespace: 'default' },
        spec: { podSelector: others },
      });
      made.get = (path) =>
        new RegExp(`/namespaces/default/pods/core-go-[^/]+:${port}/proxy/metrics$`).test(path) ? '# HELP' : undefined;
    },
    says: /^The NetworkPolicy default\/core-go does not let Prometheus reach the pod core-go-\S+ \(context deadline exceeded\), which answers the API server\.\n.*helm\/core-go\/values\.yaml/,
  },
  {
    check: 'targets',
    what: 'a pod that nobody answers for',
    change: (made) => down(made, 'core-go', 'dial tcp 10.0.0.1:8080: connect: connection refused'),
    says: /^The pod core-go-\S+ can't be scraped: dial tcp .*connection refused\.\n.*kubectl -n default logs core-go-/,
  },
  {
    check: 'targets',
    what: 'a pod that answers with an error',
    change: (made) => down(made, 'core-go', 'server returned HTTP status 500 Internal Server Error'),
    says: /^The pod core-go-\S+ answers 500 to http:/,
  },
  {
    check: 'labels',
    what: 'a label that the rules do not set',
    change: (made) => Reflect.deleteProperty(targetOf(made, 'core-go').labels, 'version'),
    says: /^The target of the pod core-go-\S+ has no label version, where version="\w+" is promised\./,
  },
  {
    check: 'labels',
    what: 'a label with another value',
    change: (made) => Object.assign(targetOf(made, 'core-go').labels, { job: 'services' }),
    says: /has job="services", where job="core-go" is promised\.\nCorrect the rule for job in relabel_configs of the job services/,
  },
  {
    check: 'jobs',
    what: 'a job without a target',
    change: (made) => {
      made.targets.activeTargets = made.targets.activeTargets.filter(({ scrapePool }) => scrapePool !== 'prometheus');
    },
    says: /^The job prometheus has no target\./,
  },
  {
    check: 'jobs',
    what: 'a job whose target is down',
    change: (made) =>
      Object.assign(made.targets.activeTargets.find(({ scrapePool }) => scrapePool === 'prometheus') ?? {}, {
        health: 'down',
        lastError: 'connection refused',
      }),
    says: /^The job prometheus can't scrape http:\S+: connection refused\./,
  },
  {
    check: 'traffic',
    what: 'requests that do not come through',
    change: (made) => {
      made.send = () => 503;
    },
    says: /^10 requests of 10 through the ingress failed: \/info answers 503\./,
  },
  {
    check: 'traffic',
    what: 'a counter that does not move',
    change: (made) => {
      let looks = 0;
      made.answer = (query) => {
        looks += 1;
        return [{ ...one, value: [0, String(/core-go/.test(query) ? 5 : looks * 100)] }];
      };
    },
    says: /^10 requests went through the ingress, and core-go counts 0 more, where 10 were to be seen: http_requests_total\{service="core-go"/,
  },
  {
    check: 'rules',
    what: 'a rule that fails',
    change: (made) =>
      Object.assign(made.rules.find(({ file }) => file.endsWith('/red.yml'))?.rules[0] ?? {}, {
        health: 'err',
        lastError: 'many-to-many matching not allowed',
      }),
    says: /^The rule service:http_requests:rate5m of red\.yml fails: many-to-many matching not allowed\./,
  },
  {
    check: 'rules',
    what: 'a rule that was not evaluated yet',
    change: (made) =>
      Object.assign(made.rules.find(({ file }) => file.endsWith('/red.yml'))?.rules[0] ?? {}, { health: 'unknown' }),
    says: /^The rule service:http_requests:rate5m of red\.yml has not been evaluated yet\./,
  },
  {
    check: 'rules',
    what: 'an alert on a metric that is not there, however silent it is',
    change: empty(/argocd_app_info/),
    says: /^The rule Application\w+ of argo-cd\.yml has nothing to work on: argocd_app_info\{\w+!=""\} has no data\.\n.*allowed-empty\.yaml/,
  },
  {
    check: 'rules',
    what: 'a recording that records nothing',
    change: empty(/^service:http_request_errors:rate5m \//),
    says: /^The rule service:http_request_errors:ratio_rate5m of red\.yml has nothing to work on: its query \(.+\) has no data\./,
  },
  {
    check: 'grafana',
    what: 'a Grafana that is not there',
    change: (made) => {
      made.status = { state: 'unready', missing: 'Deployment observability/grafana: 0 of 1 pods ready' };
    },
    says: /^Grafana is not there: Deployment observability\/grafana: 0 of 1 pods ready\./,
  },
  {
    check: 'grafana',
    what: 'a changed password',
    change: (made) => {
      made.passwordRefused = true;
    },
    says: /^Grafana refuses the password\.\nRestart it\.$/,
  },
  {
    check: 'grafana',
    what: 'a dashboard that is not there',
    change: (made) => {
      made.grafana = made.grafana.filter(({ uid }) => uid !== 'core-go');
    },
    says: /^Grafana does not have the dashboard core-go, which this checkout has\.\nnpm run up/,
  },
  {
    check: 'grafana',
    what: 'a data source under another uid',
    change: (made) => {
      made.sources = ['numbers'];
    },
    says: /^Grafana has no data source with the uid prometheus, which the \d+ dashboards .+ name\.\nGive the data source .*configmap-datasources\.yaml the uid prometheus/,
  },
  {
    check: 'queries',
    what: 'a metric that nobody has',
    change: empty(/worker_jobs_processed_total/),
    says: /^The panel ".+" of [\w-]+ shows nothing: .*worker_jobs_processed_total.* has no data\.\nCorrect the query/,
  },
  {
    check: 'queries',
    what: 'an answer that is no number',
    change: (made) => {
      made.answer = (query) => (/worker_jobs_processed_total/.test(query) ? [{ ...one, value: [0, 'NaN'] }] : [one]);
    },
    says: /shows nothing: .*worker_jobs_processed_total/,
  },
  {
    check: 'queries',
    what: 'what is no PromQL',
    change: (made) => {
      made.answer = (query) =>
        /worker_jobs_processed_total/.test(query)
          ? new ApiError('/x', 400, '{"status":"error","error":"1:3: parse error: unexpected \\"}\\""}')
          : [one];
    },
    says: /^The panel ".+" of [\w-]+ asks what Prometheus can't read: 1:3: parse error: unexpected "\}"\./,
  },
  {
    check: 'capacity',
    what: 'more than there is room for',
    change: (made) => {
      made.answer = () => [{ ...one, value: [0, '1e6'] }];
    },
    says: /^Prometheus has no room for a day of what it takes in: 24 h × 1000000 samples\/s/,
  },
  {
    check: 'capacity',
    what: 'a Prometheus that does not know yet',
    change: (made) => {
      made.answer = () => [];
    },
    says: /^Prometheus does not tell yet how much it takes in\./,
  },
];
for (const { check, what, change, says } of faults) {
  test(`${check} tells of ${what}`, async () => {
    const [first = 'nothing was found'] = await findings(check, change);
    assert.match(first, says);
  });
}

test('counters that move are fine, also where they do it only after a while', async () => {
  let looks = 0;
  const made = recorded();
  made.answer = () => {
    looks += 1;
    return [{ ...one, value: [0, String(looks > 4 ? 100 : 0)] }];
  };
  const traffic = verificationChecks.find(({ name }) => name === 'traffic') ?? assert.fail();
  assert.deepEqual((await traffic.run(liveOf(made), () => true)).findings, []);
});

test('counters that begin with the requests are given some more, of which Prometheus sees a rate', async () => {
  const traffic = verificationChecks.find(({ name }) => name === 'traffic') ?? assert.fail();
  for (const [first, sent] of [
    ['0', 20],
    ['5', 10],
  ] as const) {
    let looks = 0;
    let requests = 0;
    const made = recorded();
    made.answer = () => {
      looks += 1;
      return [{ ...one, value: [0, looks > 4 ? '100' : first] }];
    };
    const live = liveOf(made);
    const counting = { ...live, send: (path: string) => live.send(path).finally(() => (requests += 1)) };
    assert.deepEqual((await traffic.run(counting, () => true)).findings, []);
    assert.equal(requests, sent);
  }
});

test('traffic is sent again where a pod is replaced meanwhile, and its last counts are gone with it', async () => {
  let sent = 0;
  let looks = 0;
  const made = recorded();
  const pod = (name: string, value: number): Series => ({ metric: { pod: name }, value: [0, String(value)] });
  made.answer = (query) => {
    if (!/service="core-go"/.test(query)) return [pod('other', 1000 + looks * 100)];
    looks += 1;
    // Four of ten were scraped when the old pod was deleted; the new one counts the next ten.
    if (looks < 3) return [pod('old', looks === 1 ? 500 : 504)];
    return sent > 10 ? [pod('new', 10)] : [];
  };
  const live = liveOf(made);
  const counting = { ...live, send: (path: string) => live.send(path).finally(() => (sent += 1)) };
  const all = verificationChecks.filter(({ name }) => name === 'traffic');
  const { signal } = new AbortController();
  const [outcome] = await runVerification(all, counting, { timeoutMs: 60_000, signal, intervalMs: 1 });
  assert.deepEqual(outcome?.findings, []);
  assert(sent >= 20, `${sent} requests`);
});

test('what may be empty is no finding as long as it can have data, and what can not be read still is', async () => {
  const allow = (made: Recorded) => {
    made.allowed = {
      panels: [],
      rules: ['ApplicationOutOfSync', 'ApplicationDegraded'].map((rule) => ({ rule, reason: 'Because.' })),
    };
    empty(/argocd_app_info/)(made);
  };
  const known = (made: Recorded) => {
    allow(made);
    made.metricNames = ['argocd_app_info'];
  };
  assert.deepEqual(await findings('rules', known), []);
  assert.match(
    (await findings('rules', allow))[0] ?? '',
    /^The rule ApplicationOutOfSync of argo-cd\.yml has nothing to work on: nothing exposes or records the metric argocd_app_info\./,
  );
  const panels = await findings('queries', empty(/worker_jobs_processed_total/));
  const named = panels.map((text) => /^The panel "(.+)" of ([\w-]+) /.exec(text) ?? assert.fail(text));
  const exempt = named.map(([, panel = '', dashboard = '']) => ({ dashboard, panel, reason: 'Because.' }));
  const allowPanels = (made: Recorded) => {
    made.allowed = { panels: exempt, rules: [] };
  };
  const emptyButAllowed = (made: Recorded) => {
    allowPanels(made);
    made.metricNames = ['worker_jobs_processed_total'];
    empty(/worker_jobs_processed_total/)(made);
  };
  assert.deepEqual(await findings('queries', emptyButAllowed), []);
  const unknown = (made: Recorded) => {
    emptyButAllowed(made);
    made.metricNames = [];
  };
  assert.match(
    (await findings('queries', unknown))[0] ?? '',
    /shows nothing: nothing exposes or records the metric worker_jobs_processed_total\./,
  );
  const unlabelled = (made: Recorded) => {
    allowPanels(made);
    // The metric has series, and none of them with a label that the query asks for.
    made.answer = (query) => (/worker_jobs_processed_total/.test(query) && !/^count\(\w+\)$/.test(query) ? [] : [one]);
  };
  assert.match((await findings('queries', unlabelled))[0] ?? '', /: worker_jobs_processed_total has no label \w+\./);
  const broken = (made: Recorded) => {
    allowPanels(made);
    made.answer = () => new ApiError('/x', 400, '{"error":"parse error"}');
  };
  assert((await findings('queries', broken)).length > 0);
});

test('a rule that asks ingress-nginx only has nothing to do under Traefik, and the others are looked at as ever', async () => {
  const traefik = (made: Recorded) => {
    made.ingressController = 'traefik';
    made.rules = [
      {
        file: '/etc/prometheus/rules/red.yml',
        rules: [
          { name: 'a', type: 'recording', query: 'group(up{job="ingress-nginx"})', health: 'ok' },
          { name: 'B', type: 'alerting', query: 'nginx_ingress_controller_requests > 1 unless job:x', health: 'ok' },
        ],
      },
    ];
  };
  const without = (pattern: RegExp) => (made: Recorded) => {
    traefik(made);
    empty(pattern)(made);
  };
  assert.deepEqual(await findings('rules', without(/nginx/)), []);
  assert.match(
    (await findings('rules', without(/nginx|job:x/)))[0] ?? '',
    /^The rule B of red\.yml .* job:x has no data\./,
  );
  const nginx = (made: Recorded) => {
    without(/nginx/)(made);
    made.ingressController = 'nginx';
  };
  assert.equal((await findings('rules', nginx)).length, 2);
});

test('where Grafana can not be asked, the panels are those of this checkout', async () => {
  const found = await findings('queries', (made) => {
    made.passwordRefused = true;
    empty(/worker_jobs_processed_total/)(made);
  });
  assert(found.length > 0);
});
