import { holdsADay, loadQueries } from '../capacity.ts';
import type { Check } from '../check.ts';

/** Whether Prometheus has room for a day of what it takes in now. */
export const capacity: Check = {
  name: 'capacity',
  title: 'Prometheus holds a day of this',
  async run(live) {
    const [samplesPerSecond, bytesPerSample, series] = await Promise.all(
      [loadQueries.samplesPerSecond, loadQueries.bytesPerSample, loadQueries.series].map(async (query) => {
        const [first] = await live.prometheus.query(query);
        return first === undefined ? undefined : Number(first.value[1]);
      }),
    );
    if (samplesPerSecond === undefined || series === undefined) {
      const message = 'Prometheus does not tell yet how much it takes in.';
      return { findings: [{ message, remedy: 'Wait until it has scraped itself twice.' }], detail: 'not known yet' };
    }
    const { fits, sentences } = holdsADay({ samplesPerSecond, bytesPerSample, series }, await live.room());
    const detail = sentences.join('; ');
    if (fits) return { findings: [], detail };
    const message = `Prometheus has no room for a day of what it takes in: ${detail}.`;
    const remedy =
      'Scrape less, or less often; or raise retention.size (prometheus.yml) or the memory limit (deployment.yaml) in observability/prometheus.';
    return { findings: [{ message, remedy }], detail: 'it does not fit' };
  },
};
