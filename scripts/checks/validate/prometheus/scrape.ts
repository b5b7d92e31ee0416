import type { Finding, ValidationCheck } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import {
  type DiscoveredLabels,
  type DiscoveryObjects,
  discoverTargets,
  discoveryObjects,
  isKnowable,
  regexOf,
  sourceOf,
} from './discovery.ts';
import { type RelabelConfig, type ScrapeConfig, type ScrapeJob, scrapeConfigs } from './files.ts';

/** Whether Prometheus' scrape jobs lead to something: a typo there is no error, only a target that is never there. */
export const validateScrape: ValidationCheck = {
  name: 'scrape',
  title: 'scrape jobs lead to Services and ports that exist',
  rules: {
    'scrape-target': 'A target that is written out is a Service, or Prometheus itself, with that port.',
    'scrape-keep': 'Each name that a keep rule asks for belongs to a pod or Service of its namespaces.',
    'scrape-empty': 'Every job that discovers its targets finds at least one.',
  },
  async run(repository) {
    const known = await knownObjects(repository);
    const configs = await scrapeConfigs(repository);
    return configs.flatMap((config) => config.jobs.flatMap((job, index) => checkJob(config, job, index, known)));
  },
};

/** What the label `job` can be, with its scrape job: what that is called, or what its rules make of its targets. */
export async function jobLabels(repository: Repository): Promise<Map<string, ScrapeJob>> {
  const known = await knownObjects(repository);
  const configs = await scrapeConfigs(repository);
  const labels = configs.flatMap(({ jobs }) =>
    jobs.flatMap((job) => {
      const setting = job.relabel_configs.filter(({ target_label }) => target_label === 'job').at(-1);
      if (setting === undefined) return [[job.job_name, job] as const];
      const found = keptTargets(job, discoveredTargets(job, known) ?? []);
      return found.flatMap((candidate) => relabel(candidate, setting) ?? []).map((label) => [label, job] as const);
    }),
  );
  return new Map(labels);
}

async function knownObjects(repository: Repository): Promise<DiscoveryObjects> {
  return discoveryObjects([...(await repository.manifests()), ...(await repository.rendered())]);
}

function checkJob(config: ScrapeConfig, job: ScrapeJob, index: number, known: DiscoveryObjects): Finding[] {
  return [
    ...job.static_configs.flatMap(({ targets }, block) =>
      targets
        .filter((target) => !exists(target, config, known))
        .map((target) => ({
          ...at(config, index, 'static_configs', block, 'targets'),
          rule: 'scrape-target',
          message: `The job ${job.job_name} scrapes ${target}, but ${isOwn(target) ? 'the pod of Prometheus has no such port' : 'no Service has that name and port'}.`,
          remedy: 'Write SERVICE.NAMESPACE.svc:PORT with the port of the Service, or add the Service.',
        })),
    ),
    ...checkDiscovery(config, job, index, known),
  ];
}

function checkDiscovery(config: ScrapeConfig, job: ScrapeJob, index: number, known: DiscoveryObjects): Finding[] {
  const all = discoveredTargets(job, known);
  if (all === undefined) return [];
  const rules = job.relabel_configs;
  const missing = rules.flatMap((rule, number) =>
    namesNotFound(rule, all).map((name) => ({
      ...at(config, index, 'relabel_configs', number, 'regex'),
      rule: 'scrape-keep',
      message: `The job ${job.job_name} keeps what has ${rule.source_labels[0]} ${name}, but nothing in its namespaces has.`,
      remedy: 'Correct the name, or take it out of the regex.',
    })),
  );
  if (missing.length > 0 || keptTargets(job, all).length > 0) return missing;
  return [
    {
      ...at(config, index, 'job_name'),
      rule: 'scrape-empty',
      message: `The job ${job.job_name} finds no target: its keep and drop rules together leave nothing.`,
      remedy: 'Compare its namespaces and rules with the labels and port names of the pods.',
    },
  ];
}

/** The plain names in a keep rule's regex that no candidate has. */
function namesNotFound(rule: RelabelConfig, all: readonly DiscoveredLabels[]): string[] {
  const [label, ...others] = rule.source_labels;
  if (rule.action !== 'keep' || label === undefined || others.length > 0 || !isKnowable(label)) return [];
  const values = new Set(all.map((candidate) => candidate[label]));
  const names = String(rule.regex ?? '')
    .replace(/^\((?:\?:)?(.*)\)$/, '$1')
    .split('|');
  return names.filter((name) => /^[\w.-]+$/.test(name) && !values.has(name));
}

function discoveredTargets(job: ScrapeJob, known: DiscoveryObjects): DiscoveredLabels[] | undefined {
  const found = job.kubernetes_sd_configs.map(({ role, namespaces }) => discoverTargets(role, namespaces, known));
  if (found.length === 0 || found.includes(undefined)) return undefined;
  return found.flatMap((each) => each ?? []);
}

/** What the keep and drop rules leave. A rule about what only the running cluster knows leaves everything. */
function keptTargets(job: ScrapeJob, all: readonly DiscoveredLabels[]): DiscoveredLabels[] {
  const rules = job.relabel_configs.filter(({ action }) => action === 'keep' || action === 'drop');
  return all.filter((candidate) =>
    rules.every((rule) => {
      const regex = regexOf(rule);
      if (regex === undefined || !rule.source_labels.every(isKnowable)) return true;
      return regex.test(sourceOf(candidate, rule)) === (rule.action === 'keep');
    }),
  );
}

function relabel(candidate: DiscoveredLabels, rule: RelabelConfig): string | undefined {
  const match = regexOf(rule)?.exec(sourceOf(candidate, rule));
  if (!match) return undefined;
  return (rule.replacement ?? '$1').replaceAll(/\$\{?(\d)\}?/g, (_, group: string) => match[Number(group)] ?? '');
}

function exists(target: string, { embedded }: ScrapeConfig, { pods, services }: DiscoveryObjects): boolean {
  const { host = '', port } = /^(?<host>[^:]+):(?<port>\d+)$/.exec(target)?.groups ?? {};
  const { namespace: own = 'default', labels } = embedded.configMap.object.metadata;
  if (isOwn(target)) {
    const name = labels?.['app.kubernetes.io/name'];
    const self = pods.filter((pod) => pod.namespace === own && pod.labels['app.kubernetes.io/name'] === name);
    return self.some(({ ports }) => ports.some(({ containerPort }) => String(containerPort) === port));
  }
  const [name, namespace = own, suffix = 'svc'] = host.split('.');
  // What lies outside of the cluster, no manifest can confirm.
  if (suffix !== 'svc') return true;
  return services
    .filter((service) => service.name === name && service.namespace === namespace)
    .some(({ ports }) => ports.some((each) => String(each.port) === port));
}

function isOwn(target: string): boolean {
  return /^(localhost|127\.0\.0\.1):/.test(target);
}

function at(config: ScrapeConfig, job: number, ...path: (string | number)[]): { file: string; line?: number } {
  const line = config.line(job, ...path);
  return { file: config.embedded.file, ...(line !== undefined && { line }) };
}
