import { type Embedded, embeddedTexts } from '../../../repository/rendering/manifests.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { mapIn, mapsIn, readYaml, textsIn } from '../../../repository/yaml.ts';

/** A rule of `relabel_configs`. */
export interface RelabelConfig {
  action?: string;
  source_labels: string[];
  separator?: string;
  regex?: string | number;
  target_label?: string;
  replacement?: string;
}

/** A part of `scrape_configs`. */
export interface ScrapeJob {
  job_name: string;
  static_configs: { targets: string[] }[];
  kubernetes_sd_configs: { role: string; namespaces: string[] }[];
  relabel_configs: RelabelConfig[];
  /** The labels of what is scraped win over those that the job gives it. */
  honor_labels: boolean;
}

export interface ScrapeConfig {
  embedded: Embedded;
  jobs: ScrapeJob[];
  /** The line of the manifest on which a field of a job stands. */
  line(job: number, ...path: (string | number)[]): number | undefined;
}

const folder = 'observability/';

/** The texts of ConfigMaps that Prometheus reads, by what they are: the configuration, and files of rules. */
export async function prometheusFiles(repository: Repository): Promise<{ configs: Embedded[]; rules: Embedded[] }> {
  const texts = await embeddedTexts(repository, folder);
  return {
    configs: texts.filter(({ text }) => /^scrape_configs:/m.test(text)),
    rules: texts.filter(({ text }) => /^groups:/m.test(text)),
  };
}

/** The scrape jobs of each configuration. One that is no YAML has none: promtool says what is wrong with it. */
export async function scrapeConfigs(repository: Repository): Promise<ScrapeConfig[]> {
  const { configs } = await prometheusFiles(repository);
  return configs.map((embedded) => {
    const [document] = readYaml(embedded.text);
    const { scrape_configs: jobs } = mapIn<{ scrape_configs: unknown }>(document?.value);
    return {
      embedded,
      jobs: mapsIn<ScrapeJob>(jobs).map(asJob),
      line(...path) {
        const line = document?.line(['scrape_configs', ...path]);
        return line === undefined ? undefined : embedded.line(line);
      },
    };
  });
}

/** How often Prometheus scrapes what says nothing else, as its configuration has it. */
export async function scrapeInterval(repository: Repository): Promise<string | undefined> {
  const { configs } = await prometheusFiles(repository);
  const [document] = configs.flatMap(({ text }) => readYaml(text));
  const { global } = mapIn<{ global: unknown }>(document?.value);
  return mapIn<{ scrape_interval: string }>(global).scrape_interval;
}

function asJob(job: Partial<ScrapeJob>): ScrapeJob {
  return {
    job_name: String(job.job_name),
    honor_labels: job.honor_labels === true,
    static_configs: mapsIn<ScrapeJob['static_configs'][number]>(job.static_configs).map(({ targets }) => ({
      targets: textsIn(targets),
    })),
    kubernetes_sd_configs: mapsIn<{ role: string; namespaces: object }>(job.kubernetes_sd_configs).map((discovery) => ({
      role: String(discovery.role),
      namespaces: textsIn(mapIn<{ names: string[] }>(discovery.namespaces).names),
    })),
    relabel_configs: mapsIn<RelabelConfig>(job.relabel_configs).map((rule) => ({
      ...rule,
      source_labels: textsIn(rule.source_labels),
    })),
  };
}
