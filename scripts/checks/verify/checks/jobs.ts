import { monitoringParts } from '../../../config/settings.ts';
import { type Check, count, type Finding } from '../check.ts';
import { jobsIn } from '../relabeling.ts';

/** Whether what is scraped besides the services is there, too: Prometheus itself, Argo CD, the ingress controller, … */
export const jobs: Check = {
  name: 'jobs',
  title: 'every scrape job has targets, all of them up',
  async run(live) {
    const [config, { activeTargets }] = await Promise.all([live.prometheus.config(), live.prometheus.targets()]);
    const all = jobsIn(config);
    const findings = all.flatMap(({ name }): Finding[] => {
      const own = activeTargets.filter(({ scrapePool }) => scrapePool === name);
      // The job of a part that nobody asks for waits for it.
      const isUnwanted = monitoringParts.some((part) => part === name && !live.parts.includes(part));
      if (own.length === 0 && isUnwanted) return [];
      if (own.length === 0) {
        return [
          {
            message: `The job ${name} has no target.`,
            remedy: `Compare its rules in observability/prometheus with what runs; npm run status says what is missing.`,
          },
        ];
      }
      return own
        .filter(({ health }) => health !== 'up')
        .map(({ scrapeUrl, lastError }) => ({
          message: `The job ${name} can't scrape ${scrapeUrl}: ${lastError || 'it has not tried yet'}.`,
          remedy: 'npm run status says whether that runs; Status > Target health in Prometheus shows the last tries.',
        }));
    });
    const targets = count(activeTargets.length, 'target');
    return { findings, detail: `${targets} of ${count(all.length, 'job')}` };
  },
};
