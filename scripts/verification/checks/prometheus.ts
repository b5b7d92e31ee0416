import { ApiError } from '../../lib/api.ts';
import { isReady, type Pod } from '../../lib/workloads.ts';
import { type Check, count, type Finding } from '../check.ts';
import type { Live } from '../live.ts';
import { nameLabel } from '../pods.ts';
import { sumOf } from '../prometheus.ts';
import { jobsIn } from '../relabeling.ts';

const namespace = 'observability';

/** Whether Prometheus is there, and runs with the configuration of this checkout. */
export const prometheus: Check = {
  name: 'prometheus',
  title: 'Prometheus runs with its configuration',
  async run(live) {
    const findings = [...(await refusal(live)), ...(await unreadiness(live))];
    if (findings.length > 0) return { findings, detail: 'it is not as it should be' };
    const [jobs, groups] = await Promise.all([live.prometheus.config(), live.prometheus.rules()]);
    const rules = groups.reduce((sum, group) => sum + group.rules.length, 0);
    return { findings, detail: `${count(jobsIn(jobs).length, 'job')}, ${count(rules, 'rule')}` };
  },
};

async function unreadiness(live: Live): Promise<Finding[]> {
  const status = await live.status('prometheus');
  if (status.state === 'ready') return [];
  return [{ message: `Prometheus is not as this checkout has it: ${status.missing}.`, remedy: 'npm run up' }];
}

/** A configuration that it can't read replaces nothing: only this tells that it goes on with the one before. */
async function refusal(live: Live): Promise<Finding[]> {
  const query = `prometheus_config_last_reload_successful{job="prometheus"}`;
  const found = await live.prometheus.query(query).catch((error: unknown) => {
    // That it is not there is said by its component.
    if (error instanceof ApiError && error.status >= 500) return [];
    throw error;
  });
  if (found.length === 0 || sumOf(found) > 0) return [];
  const reason = await reasonInLog(live);
  return [
    {
      message: `Prometheus refuses its configuration, and goes on with the one before${reason === undefined ? '' : `: ${reason}`}.`,
      remedy: 'Correct the file below observability/prometheus (npm run validate -- prometheus), and npm run up.',
      lasting: true,
    },
  ];
}

/** The last error that Prometheus has written, without its own clothing: level, source and time. */
async function reasonInLog(live: Live): Promise<string | undefined> {
  const pods = await live.list<Pod>('v1', 'Pod', namespace);
  const pod = pods.find((one) => one.metadata.labels?.[nameLabel] === 'prometheus' && isReady(one));
  if (!pod) return undefined;
  const log = await live.log(namespace, pod.metadata.name).catch((error: unknown) => {
    if (error instanceof ApiError) return '';
    throw error;
  });
  const errors = [...log.matchAll(/level=ERROR .*?\berr(?:or)?="((?:[^"\\]|\\.)*)"/gi)].map((match) => match[1] ?? '');
  // The last words of a reload only say that one failed; the reason stands before them, and names a file.
  const reasons = errors.filter((text) => !/one or more errors occurred|previous rule set restored/.test(text));
  const told = reasons.filter((text) => text.includes('/etc/prometheus/')).at(-1) ?? reasons.at(-1);
  return told
    ?.replaceAll('\\"', '"')
    .replaceAll(/\\n|\s+/g, ' ')
    .replace(/\.$/, '')
    .slice(0, 300);
}
