import { prometheusNamespace } from '../../components/prometheus-client.ts';
import { isReady } from '../../kubernetes/workloads.ts';
import { shortened } from '../../lib/errors.ts';
import { counted } from '../../lib/text.ts';
import { prometheusPods, type VerificationCheck, type VerificationFinding } from './check.ts';
import { jobsIn, type LiveCluster } from './live.ts';

/** Whether Prometheus is there, and runs with the configuration of this checkout. */
export const verifyPrometheus: VerificationCheck = {
  name: 'prometheus',
  title: 'Prometheus runs with its configuration',
  async run(live) {
    const status = await live.status('prometheus');
    if (status.state !== 'ready')
      return { findings: [await explainUnready(live, status.missing)], detail: 'it is not as it should be' };
    const [config, groups] = await Promise.all([live.prometheus.config(), live.prometheus.rules()]);
    const rules = groups.reduce((sum, group) => sum + group.rules.length, 0);
    return { findings: [], detail: `${counted(jobsIn(config).length, 'job')}, ${counted(rules, 'rule')}` };
  },
};

/** Of a configuration that it refuses, the component knows only that. */
async function explainUnready(live: LiveCluster, missing: string): Promise<VerificationFinding> {
  if (!/refuses its configuration/.test(missing))
    return { message: `Prometheus is not as this checkout has it: ${missing}.`, remedy: 'npm run up' };
  const reason = await reasonInLog(live);
  return {
    message: `${missing}${reason === undefined ? '' : `: ${reason}`}.`,
    remedy: 'Correct the file below observability/prometheus (npm run validate -- prometheus), and npm run up.',
    lasting: true,
  };
}

/** The last error that Prometheus has logged, without level, source and time. */
async function reasonInLog(live: LiveCluster): Promise<string | undefined> {
  const pod = (await prometheusPods(live)).find(isReady);
  if (!pod) return undefined;
  const path = `/api/v1/namespaces/${prometheusNamespace}/pods/${pod.metadata.name}/log?tailLines=200`;
  const log = (await live.get(path)) ?? '';
  const errors = [...log.matchAll(/level=ERROR .*?\berr(?:or)?="((?:[^"\\]|\\.)*)"/gi)].map((match) => match[1] ?? '');
  // The last words of a reload only say that one failed; the reason stands before them, and names a file.
  const reasons = errors.filter((text) => !/one or more errors occurred|previous rule set restored/.test(text));
  const told = reasons.filter((text) => text.includes('/etc/prometheus/')).at(-1) ?? reasons.at(-1);
  if (told === undefined) return undefined;
  const reason = told.replaceAll('\\"', '"').replaceAll(/\\n|\s+/g, ' ');
  return shortened(reason.replace(/\.$/, ''), 300);
}
