/** What Prometheus takes in, as it tells itself. */
export interface Load {
  samplesPerSecond: number;
  /** Of a chunk on the disk. Undefined until the first block is written, two to three hours after the start. */
  bytesPerSample: number | undefined;
  /** In memory: those of the last two to three hours. */
  series: number;
}

/** What it has, in bytes: for its blocks (`retention.size`), and as the memory limit of its container. */
export interface Room {
  disk: number;
  memory: number;
}

export interface Capacity {
  fits: boolean;
  /** The calculation, a sentence for the disk and one for the memory. */
  sentences: [disk: string, memory: string];
}

/** How Prometheus is asked for its load: each query has one value, or none. */
export const loadQueries = {
  samplesPerSecond: 'sum(rate(prometheus_tsdb_head_samples_appended_total[5m]))',
  bytesPerSample: 'prometheus_tsdb_compaction_chunk_size_bytes_sum / prometheus_tsdb_compaction_chunk_samples_sum > 0',
  series: 'prometheus_tsdb_head_series',
} as const;

const seconds = 24 * 3600;
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
export function holdsADay({ samplesPerSecond, bytesPerSample, series }: Load, room: Room): Capacity {
  const bytes = bytesPerSample ?? assumedBytesPerSample;
  const disk = seconds * samplesPerSecond * bytes;
  const memory = memoryOfItself + series * memoryPerSeries;
  const said = bytesPerSample === undefined ? ' (assumed: it has written no block yet)' : ' (measured)';
  return {
    fits: disk <= room.disk && memory <= room.memory,
    sentences: [
      `24 h × ${samplesPerSecond.toFixed(0)} samples/s × ${bytes.toFixed(2)} bytes/sample${said} = ${mebibytes(disk)} of ${mebibytes(room.disk)} of disk`,
      `${mebibytes(memoryOfItself)} + ${series.toFixed(0)} series × ${memoryPerSeries / 1024} KiB = ${mebibytes(memory)} of ${mebibytes(room.memory)} of memory`,
    ],
  };
}

function mebibytes(bytes: number): string {
  return `${(bytes / mebibyte).toFixed(0)} MiB`;
}
