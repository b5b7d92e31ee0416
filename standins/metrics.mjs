// Just enough of a Prometheus client: counters and histograms with labels, and the text format they are read in.

const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const escapeHelp = (text) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const escapeValue = (text) => escapeHelp(text).replaceAll('"', '\\"');

/** {a: 'x', b: 'y'} becomes {a="x",b="y"}, and nothing at all when there are no labels. */
function labelled(labels) {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(String(value))}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const head = (name, help, type) => [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`];

/** A number that only rises. Without labels it begins at zero, so that it can be seen before anything happened. */
export function counter(name, help, { hasLabels = true } = {}) {
  const series = new Map(hasLabels ? [] : [['', 0]]);
  return {
    inc(labels = {}) {
      const key = labelled(labels);
      series.set(key, (series.get(key) ?? 0) + 1);
    },
    lines: () => [...head(name, help, 'counter'), ...[...series].map(([key, value]) => `${name}${key} ${value}`)],
  };
}

/** How many observations were at most so large, for each bucket: cumulative, as the format wants it. */
export function histogram(name, help) {
  const series = new Map();
  return {
    observe(labels, value) {
      const key = labelled(labels);
      const entry = series.get(key) ?? { labels, counts: BUCKETS.map(() => 0), sum: 0, count: 0 };
      series.set(key, entry);
      BUCKETS.forEach((bound, i) => {
        if (value <= bound) entry.counts[i] += 1;
      });
      entry.sum += value;
      entry.count += 1;
    },
    lines: () => [
      ...head(name, help, 'histogram'),
      ...[...series].flatMap(([key, { labels, counts, sum, count }]) => [
        ...BUCKETS.map((bound, i) => `${name}_bucket${labelled({ ...labels, le: bound })} ${counts[i]}`),
        `${name}_bucket${labelled({ ...labels, le: '+Inf' })} ${count}`,
        `${name}_sum${key} ${sum}`,
        `${name}_count${key} ${count}`,
      ]),
    ],
  };
}

const startedAt = Date.now() / 1000 - process.uptime();

/** What every Prometheus client reports of its process, under the names that they all use. */
export const processMetrics = {
  lines() {
    const { user, system } = process.cpuUsage();
    return [
      ...head('process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.', 'counter'),
      `process_cpu_seconds_total ${(user + system) / 1e6}`,
      ...head('process_resident_memory_bytes', 'Resident memory size in bytes.', 'gauge'),
      `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
      ...head('process_start_time_seconds', 'Start time of the process since unix epoch in seconds.', 'gauge'),
      `process_start_time_seconds ${startedAt}`,
    ];
  },
};

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export const render = (metrics) => `${metrics.flatMap((metric) => metric.lines()).join('\n')}\n`;
