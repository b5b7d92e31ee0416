import { parse } from 'yaml';
import { readManifestFolder } from '../../repository/manifests.ts';
import { readText, understood } from '../../repository/text.ts';
import type { VerificationCheck } from './check.ts';

/** What Prometheus takes in, as it tells itself. */
interface IngestionLoad {
  samplesPerSecond: number;
  /** Of a chunk on the disk. Undefined until the first block is written, two to three hours after the start. */
  bytesPerSample: number | undefined;
  /** In memory: those of the last two to three hours. */
  series: number;
}

/** What it has, in bytes: for its blocks (`retention.size`), and as the memory limit of its container. */
interface PrometheusLimits {
  disk: number;
  memory: number;
}

interface Capacity {
  fits: boolean;
  /** The calculation, a sentence for the disk and one for the memory. */
  sentences: [disk: string, memory: string];
}

/** How Prometheus is asked for its load: each query has one value, or none. */
const loadQueries = [
  'sum(rate(prometheus_tsdb_head_samples_appended_total[5m]))',
  'prometheus_tsdb_compaction_chunk_size_bytes_sum / prometheus_tsdb_compaction_chunk_samples_sum > 0',
  'prometheus_tsdb_head_series',
];

/** Whether Prometheus has room for a day of what it takes in now. */
export const verifyCapacity: VerificationCheck = {
  name: 'capacity',
  title: 'Prometheus holds a day of this',
  async run(live) {
    const answers = await Promise.all(loadQueries.map((query) => live.prometheus.query(query)));
    const [samplesPerSecond, bytesPerSample, series] = answers.map(([first]) => first && Number(first.value[1]));
    if (samplesPerSecond === undefined || series === undefined) {
      const message = 'Prometheus does not tell yet how much it takes in.';
      return { findings: [{ message, remedy: 'Wait until it has scraped itself twice.' }], detail: 'not known yet' };
    }
    const limits = await readPrometheusLimits(live.config.root);
    const { fits, sentences } = capacityForADay({ samplesPerSecond, bytesPerSample, series }, limits);
    const detail = sentences.join('; ');
    if (fits) return { findings: [], detail };
    const message = `Prometheus has no room for a day of what it takes in: ${detail}.`;
    const remedy =
      'Scrape less, or less often; or raise retention.size (prometheus.yml) or the memory limit (deployment.yaml) in observability/prometheus.';
    return { findings: [{ message, remedy }], detail: 'it does not fit' };
  },
};

const secondsPerDay = 24 * 3600;
const mebibyte = 1024 * 1024;

/**
 * Until a block tells, more than both of these: "an average of only 1-2 bytes per sample" (prometheus.io/docs, Storage), and the
 * 2.7 that were measured here in the first twenty minutes, when each series has only begun its chunk (docs/decisions/prometheus.md).
 */
const assumedBytesPerSample = 3;

/**
 * Bytes of memory for a series with its labels, its index and its chunk, and those that Prometheus takes besides. Measured here
 * (docs/decisions/prometheus.md), rounded up: 134 MiB with 3500 series, 157 MiB with 8400.
 */
const memoryPerSeries = 8 * 1024;
const memoryOfItself = 120 * mebibyte;

/**
 * Whether a day of this load fits. The disk by Prometheus' own formula, time × samples a second × bytes a sample (the page named
 * above); the memory by the series, since older data are on the disk only.
 */
export function capacityForADay(
  { samplesPerSecond, bytesPerSample, series }: IngestionLoad,
  limits: PrometheusLimits,
): Capacity {
  const bytes = bytesPerSample ?? assumedBytesPerSample;
  const disk = secondsPerDay * samplesPerSecond * bytes;
  const memory = memoryOfItself + series * memoryPerSeries;
  const said = bytesPerSample === undefined ? ' (assumed: it has written no block yet)' : ' (measured)';
  return {
    fits: disk <= limits.disk && memory <= limits.memory,
    sentences: [
      `24 h × ${samplesPerSecond.toFixed(0)} samples/s × ${bytes.toFixed(2)} bytes/sample${said} = ${mebibytes(disk)} of ${mebibytes(limits.disk)} of disk`,
      `${mebibytes(memoryOfItself)} + ${series.toFixed(0)} series × ${memoryPerSeries / 1024} KiB = ${mebibytes(memory)} of ${mebibytes(limits.memory)} of memory`,
    ],
  };
}

function mebibytes(bytes: number): string {
  return `${(bytes / mebibyte).toFixed(0)} MiB`;
}

const folder = 'observability/prometheus';
const prefixes = ['', 'K', 'M', 'G', 'T'];

interface DeploymentSpec {
  template: { spec: { containers: { resources: { limits: { memory: string } } }[] } };
}

/** What the manifests of Prometheus give it. Throws where they don't say. */
export async function readPrometheusLimits(root: string): Promise<PrometheusLimits> {
  const file = `${folder}/config/prometheus.yml`;
  const [objects, text] = await Promise.all([readManifestFolder(root, folder), readText(root, file)]);
  return understood(file, () => {
    const spec = objects.find(({ kind }) => kind === 'Deployment')?.spec as DeploymentSpec | undefined;
    const { storage } = parse(text) as { storage: { tsdb: { retention: { size: string } } } };
    return {
      disk: sizeInBytes(storage.tsdb.retention.size),
      memory: sizeInBytes(spec?.template.spec.containers[0]?.resources.limits.memory ?? ''),
    };
  });
}

/** `512Mi` as Kubernetes writes it, or `512MB` as Prometheus does, which means the same by it: 1024 of 1024. */
export function sizeInBytes(text: string): number {
  const { number, prefix = '' } = /^(?<number>[\d.]+)(?<prefix>[KMGT])(?:i|i?B)$/.exec(text)?.groups ?? {};
  if (number === undefined) throw new Error(`"${text}" is no size in bytes`);
  return Number(number) * 1024 ** prefixes.indexOf(prefix);
}
