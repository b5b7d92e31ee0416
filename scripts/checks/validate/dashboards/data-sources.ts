import type { Finding } from '../../../repository/rendering/finding.ts';
import { type Embedded, embeddedTexts } from '../../../repository/rendering/manifests.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { mapIn, mapsIn, readYaml, type YamlDocument } from '../../../repository/yaml.ts';
import { scrapeInterval } from '../prometheus/files.ts';

export const dataSourceRules = {
  'data-source-interval':
    "The data source's timeInterval is the scrape_interval of Prometheus: $__rate_interval is made of it.",
};

interface DataSource {
  embedded: Embedded;
  document: YamlDocument;
  index: number;
  uid: string | undefined;
  interval: string | undefined;
}

/** The uids of the data sources that Grafana is provisioned with. */
export async function dataSourceUids(repository: Repository): Promise<Set<string>> {
  return new Set((await dataSources(repository)).flatMap(({ uid }) => uid ?? []));
}

/** Whether Grafana knows how often Prometheus scrapes: a rate over less than two scrapes is empty. */
export async function checkIntervals(repository: Repository): Promise<Finding[]> {
  const wanted = await scrapeInterval(repository);
  return (await dataSources(repository)).flatMap(({ embedded, document, index, uid, interval }): Finding[] => {
    if (wanted === undefined || interval === wanted) return [];
    const line = embedded.line(document.line(['datasources', index, 'jsonData', 'timeInterval']) ?? 1);
    const message = `The data source ${uid} has the timeInterval ${interval}, and Prometheus scrapes every ${wanted}.`;
    const remedy = `Write timeInterval: ${wanted}.`;
    return [
      { rule: 'data-source-interval', file: embedded.file, ...(line !== undefined && { line }), message, remedy },
    ];
  });
}

async function dataSources(repository: Repository): Promise<DataSource[]> {
  const texts = await embeddedTexts(repository, 'observability/grafana/');
  return texts
    .filter(({ text }) => /^datasources:/m.test(text))
    .flatMap((embedded) => {
      const [document] = readYaml(embedded.text);
      if (document === undefined) return [];
      const { datasources } = mapIn<{ datasources: unknown }>(document.value);
      return mapsIn<{ uid: string; jsonData: unknown }>(datasources).map(({ uid, jsonData }, index) => {
        const { timeInterval: interval } = mapIn<{ timeInterval: string }>(jsonData);
        return { embedded, document, index, uid, interval };
      });
    });
}
