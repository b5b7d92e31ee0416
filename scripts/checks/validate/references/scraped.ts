import { type Finding, findingAt } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { jobLabels } from '../prometheus/scrape.ts';

/** Prometheus finds the pods of each service, by their labels, their namespace and the name of their port. */
export async function checkScraped(repository: Repository): Promise<Finding[]> {
  const jobs = await jobLabels(repository);
  const deployments = (await repository.rendered()).filter(({ object }) => object.kind === 'Deployment');
  return deployments
    .filter(({ object }) => !jobs.has(object.metadata.name))
    .map((located) =>
      findingAt(
        located,
        'service-is-scraped',
        ['spec', 'template'],
        'no scrape job of Prometheus keeps these pods.',
        'Compare the labels and the port names with relabel_configs in observability/prometheus/prometheus.yml.',
      ),
    );
}
