import { createHash } from 'node:crypto';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import type { Pod, Workload } from '../kubernetes/types.ts';
import { isStaying } from '../kubernetes/workloads.ts';
import { shortened, UserError } from '../lib/errors.ts';

/** Where Prometheus runs. */
export const prometheusNamespace = 'observability';
const deploymentName = 'prometheus';
/** What a rule records, so that Prometheus can be asked which configuration it has read. */
const checksumRecord = 'platform_ops_configuration_info';
const checksumMap = 'prometheus-rules-checksum';
const touchedAnnotation = 'platform-ops/touched';
const reloadRefused = 'Prometheus refuses its configuration, and goes on with the one before';
/** Milliseconds between two touches: the kubelet renews the files within a second or two, Prometheus reads them every five. */
const touchIntervalMs = 10_000;

/**
 * A file of rules whose only one records the checksum of all ConfigMaps among the objects. Prometheus takes a configuration as
 * a whole or not at all: as soon as it has this rule, it has the rest.
 */
export function checksumRule(objects: readonly KubeObject[]): KubeObject {
  const texts = objects.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata, data }) => [metadata.name, data]);
  const checksum = createHash('sha256').update(JSON.stringify(texts)).digest('hex').slice(0, 16);
  const rules = [{ record: checksumRecord, expr: 'vector(1)', labels: { checksum } }];
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: checksumMap,
      namespace: prometheusNamespace,
      labels: { 'app.kubernetes.io/part-of': prometheusNamespace },
    },
    data: { 'checksum.yml': JSON.stringify({ groups: [{ name: 'checksum', rules }] }) },
  };
}

/** The checksum that `checksumRule` has written. */
function checksumIn(objects: readonly KubeObject[]): string | undefined {
  const found = objects.find(({ metadata }) => metadata.name === checksumMap);
  return /"checksum":"([0-9a-f]+)"/.exec(JSON.stringify(found?.data ?? {}).replaceAll('\\', ''))?.[1];
}

/**
 * That the running Prometheus has not read the objects' configuration yet, or refuses what lies in its pod; undefined once all
 * is well. One that refuses may run the right one all the same, since it goes on with that: but it could not start with it.
 */
export async function configurationNotLoaded(
  context: Context,
  objects: readonly KubeObject[],
): Promise<string | undefined> {
  const [checksum, metrics] = await Promise.all([
    loadedChecksum(context),
    context.api().text(prometheusPath('/metrics')),
  ]);
  if (/^prometheus_config_last_reload_successful 0$/m.test(metrics)) return reloadRefused;
  return checksum === checksumIn(objects) ? undefined : 'Prometheus has not read its configuration yet';
}

/** Asked without patience: while the pod is replaced there is nobody to answer, and waiting is up to the caller. */
async function loadedChecksum(context: Context): Promise<string | undefined> {
  const path = prometheusPath(`/api/v1/rules?${new URLSearchParams({ 'rule_name[]': checksumRecord })}`);
  const answer = JSON.parse(await context.api().text(path)) as {
    data: { groups: { rules: { labels?: { checksum?: string } }[] }[] };
  };
  return answer.data.groups[0]?.rules[0]?.labels?.checksum;
}

/**
 * Has a Prometheus that is behind read its configuration: an annotation of the pod is changed, upon which the kubelet renews the
 * files in its volumes at once, not in a minute or two. After a refusal Prometheus doesn't read again what it had read before
 * it, though that is right and it goes on calling its configuration refused; so one more file changes then, which has no rules.
 */
export async function reloadConfiguration(context: Context, objects: readonly KubeObject[]): Promise<void> {
  const now = new Date();
  const due = (await runningPods(context)).filter(
    ({ metadata }) =>
      now.valueOf() - Date.parse(metadata.annotations?.[touchedAnnotation] ?? '1970-01-01') > touchIntervalMs,
  );
  if (due.length === 0) return;
  const lacking = await configurationNotLoaded(context, objects);
  if (lacking === undefined) return;
  const kubectl = await context.kubectl();
  if (lacking === reloadRefused) {
    const patch = JSON.stringify({ data: { 'again.yml': `# ${now.toISOString()}\ngroups: []\n` } });
    const where = ['--namespace', prometheusNamespace, '--type=merge'];
    await kubectl.run(['patch', 'configmap', checksumMap, ...where, '--patch', patch]);
  }
  const pods = due.map(({ metadata }) => `pod/${metadata.name}`);
  const touched = `${touchedAnnotation}=${now.toISOString()}`;
  await kubectl.run(['annotate', '--namespace', prometheusNamespace, '--overwrite', ...pods, touched]);
  context.view().forget();
}

async function runningPods(context: Context): Promise<Pod[]> {
  const deployments = await context.view().list<Workload>('apps/v1', 'Deployment');
  const own = deployments.find(
    ({ metadata }) => metadata.namespace === prometheusNamespace && metadata.name === deploymentName,
  );
  return own === undefined ? [] : (await context.view().podsOf(own)).filter(isStaying);
}

/**
 * Has the running Prometheus' own promtool check what is about to change, before anything does. Throws a `UserError` with its
 * reason where it refuses. Where no Prometheus runs yet, nothing can be replaced by a broken configuration either.
 */
export async function assertConfigurationValid(context: Context, objects: readonly KubeObject[]): Promise<void> {
  const [pod] = await runningPods(context);
  if (pod === undefined) return;
  const kubectl = await context.kubectl();
  for (const [file, text] of await changedFiles(context, objects)) {
    // promtool reads rules from standard input by itself; a configuration it wants to open.
    const check = file === 'prometheus.yml' ? ['config', '--syntax-only', '/dev/stdin'] : ['rules'];
    const { exitCode, stdout, stderr } = await kubectl.run(
      ['exec', '--stdin', '--namespace', prometheusNamespace, pod.metadata.name, '--', 'promtool', 'check', ...check],
      { input: text, nothrow: true, timeout: 30_000 },
    );
    // Any other failure is kubectl's own, as of a pod that has just gone.
    if (exitCode === 0 || !/command terminated with exit code/.test(stderr)) continue;
    throw new UserError(`Prometheus would refuse ${file}: ${promtoolReason(`${stdout}\n${stderr}`)}.`, {
      id: 'prometheus-refuses',
      hint: 'Nothing was changed, it goes on with the configuration that it has. npm run validate tells more.',
    });
  }
}

/** The files that the ConfigMaps carry and that the cluster has not, or has otherwise. */
async function changedFiles(context: Context, objects: readonly KubeObject[]): Promise<[string, string][]> {
  const present = await context.api().list<KubeObject>('v1', 'ConfigMap', prometheusNamespace);
  const known = new Map(present.map(({ metadata, data }) => [metadata.name, (data ?? {}) as Record<string, string>]));
  return objects
    .filter(({ kind }) => kind === 'ConfigMap')
    .flatMap(({ metadata, data }) =>
      Object.entries(data as Record<string, string>).filter(
        ([file, text]) => known.get(metadata.name)?.[file] !== text,
      ),
    );
}

function promtoolReason(output: string): string {
  const lines = output.split('\n').map((line) => line.replace(/^\s*(FAILED:)?\s*/, '').trim());
  const told = lines.filter((line) => line !== '' && !/^(Checking |SUCCESS|command terminated)/.test(line));
  const reason = told.join(' ').replaceAll(/(parsing YAML file )?(\/dev\/stdin|standard input):? ?/g, '');
  return shortened(reason.replace(/[.:]+$/, ''), 500);
}

/** A scrape target, as Prometheus' API tells it. */
export interface ScrapeTarget {
  labels: { job?: string; pod?: string; namespace?: string; service?: string; instance?: string };
  health: 'up' | 'down' | 'unknown';
  lastError: string;
  scrapeUrl: string;
}

/** The path of the API server that leads to a path of Prometheus, so that it is reached without the ingress. */
export function prometheusPath(path: string): string {
  return `/api/v1/namespaces/${prometheusNamespace}/services/http:prometheus:9090/proxy${path}`;
}

/** All targets that Prometheus scrapes. Throws `ApiError`. */
export async function readTargets(context: Context): Promise<ScrapeTarget[]> {
  const { data } = await context
    .api()
    .json<{ data: { activeTargets: ScrapeTarget[] } }>(prometheusPath('/api/v1/targets?state=active'));
  return data.activeTargets;
}

/** The first pod that Prometheus failed to scrape last, with the reason, as a sentence. Throws `ApiError`. */
export async function podDown(context: Context): Promise<string | undefined> {
  const targets = await readTargets(context);
  const down = targets.find(({ health, labels }) => health === 'down' && labels.pod !== undefined);
  return down && notUp(`${down.labels.namespace}/${down.labels.pod}`, down);
}

/** The first of the pods that Prometheus has not scraped with success, with its reason if it tried, as a sentence. Throws `ApiError`. */
export async function podNotUp(context: Context, pods: readonly Pod[]): Promise<string | undefined> {
  const targets = await readTargets(context);
  const of = (pod: Pod) => targets.filter(({ labels }) => labels.pod === pod.metadata.name);
  const unseen = pods.find((pod) => !of(pod).some(({ health }) => health === 'up'));
  return unseen && notUp(`${unseen.metadata.namespace}/${unseen.metadata.name}`, of(unseen)[0]);
}

function notUp(pod: string, target: ScrapeTarget | undefined): string {
  const why = target?.lastError ? `: ${target.lastError}` : '';
  return `Prometheus does not see the pod ${pod} up${why}`;
}
