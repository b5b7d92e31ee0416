import { setTimeout as sleep } from 'node:timers/promises';
import type { Person } from '../../e2e/support.ts';

/** Milliseconds between two looks, and the most that all looks together take. */
const [interval, patience] = [250, 300_000];
const site = (name: string, path: string) => [
  ...['--silent', '--insecure', '--fail', '--max-time', '5'],
  ...['--resolve', `${name}.localhost:8443:127.0.0.1`, `https://${name}.localhost:8443${path}`],
];

interface Targets {
  data: { activeTargets: { health: string; labels: { job: string } }[] };
}

/**
 * Waits until the platform is where both ways have to get: every Application Synced and Healthy, `/info` answers through the
 * ingress, and every target of Prometheus is UP, those of the services among them. Throws where it doesn't get there.
 */
export async function untilSamePoint(person: Person, kubeconfig: string): Promise<void> {
  const until = performance.now() + patience;
  let lacking = '';
  while (performance.now() < until) {
    lacking = (await lackingNow(person, kubeconfig)) ?? '';
    if (lacking === '') return;
    await sleep(interval);
  }
  throw new Error(`The platform did not get there: ${lacking}`);
}

async function lackingNow(person: Person, kubeconfig: string): Promise<string | undefined> {
  const states = '{range .items[*]}{.status.sync.status}/{.status.health.status} {end}';
  const get = ['get', 'applications', '--namespace', 'argocd', '--output', `jsonpath=${states}`];
  const applications = (await person.run(['kubectl', '--kubeconfig', kubeconfig, ...get])).stdout.trim().split(/\s+/);
  if (applications.length !== 3 || applications.some((state) => state !== 'Synced/Healthy'))
    return `Applications are ${applications.join(', ')}`;
  const [info, targets] = await Promise.all([
    person.run(['curl', ...site('api', '/info')]),
    person.run(['curl', ...site('prometheus', '/api/v1/targets?state=active')]),
  ]);
  if (info.code !== 0) return '/info does not answer';
  if (targets.code !== 0) return 'Prometheus does not answer';
  const { activeTargets } = (JSON.parse(targets.stdout) as Targets).data;
  const down = activeTargets.filter(({ health }) => health !== 'up').map(({ labels }) => labels.job);
  const jobs = new Set(activeTargets.map(({ labels }) => labels.job));
  const missing = ['api-node', 'core-go', 'worker-python'].filter((service) => !jobs.has(service));
  return down.length + missing.length > 0 ? `not UP: ${[...down, ...missing].join(', ')}` : undefined;
}
