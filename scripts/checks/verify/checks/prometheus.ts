import { ApiError } from '../../../kubernetes/api/api.ts';
import { isReady, type Pod } from '../../../kubernetes/workloads.ts';
import { shortened } from '../../../lib/errors.ts';
import { type Check, count, type Finding } from '../check.ts';
import type { Live } from '../live.ts';
import { nameLabel } from '../pods.ts';
import { jobsIn } from '../relabeling.ts';

const namespace = 'observability';

/** Whether Prometheus is there, and runs with the configuration of this checkout. */
export const prometheus: Check = {
  name: 'prometheus',
  title: 'Prometheus runs with its configuration',
  async run(live) {
    const status = await live.status('prometheus');
    if (status.state !== 'ready') {
      return { findings: [await explained(live, status.missing)], detail: 'it is not as it should be' };
    }
    const [jobs, groups] = await Promise.all([live.prometheus.config(), live.prometheus.rules()]);
    const rules = groups.reduce((sum, group) => sum + group.rules.length, 0);
    return { findings: [], detail: `${count(jobsIn(jobs).length, 'job')}, ${count(rules, 'rule')}` };
  },
};

/** Of a configuration that it refuses, the component knows only that. */
async function explained(live: Live, missing: string): Promise<Finding> {
  if (!/refuses its configuration/.test(missing)) {
    return { message: `Prometheus is not as this checkout has it: ${missing}.`, remedy: 'npm run up' };
  }
  const reason = await reasonInLog(live);
  return {
    message: `${missing}${reason === undefined ? '' : `: ${reason}`}.`,
    remedy: 'Correct the file below observability/prometheus (npm run validate -- prometheus), and npm run up.',
    lasting: true,
  };
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
  if (told === undefined) return undefined;
  const reason = told.replaceAll('\\"', '"').replaceAll(/\\n|\s+/g, ' ');
  return shortened(reason.replace(/\.$/, ''), 300);
}
