import { missingOf, type Workload } from '../../../kubernetes/workloads.ts';
import { servicesNamespace } from '../../../repository/applications.ts';
import { type Check, count, type Finding } from '../check.ts';
import { servicePods } from '../pods.ts';

/** Whether there is something to be scraped at all. */
export const services: Check = {
  name: 'services',
  title: 'every service runs',
  async run(live) {
    const [names, deployments, pods] = await Promise.all([
      live.services(),
      live.list<Workload>('apps/v1', 'Deployment', servicesNamespace),
      servicePods(live),
    ]);
    const findings = names.flatMap((name): Finding[] => {
      const deployment = deployments.find(({ metadata }) => metadata.name === name);
      if (!deployment)
        return [{ message: `The service ${name} is not there: it has no Deployment.`, remedy: 'npm run up' }];
      if (deployment.spec.replicas === 0) {
        return [
          {
            message: `The service ${name} has no pod: its Deployment was scaled to zero.`,
            remedy: `kubectl -n ${servicesNamespace} scale deployment/${name} --replicas=1; an HPA and Argo CD leave a zero alone.`,
            lasting: true,
          },
        ];
      }
      const missing = missingOf(deployment);
      if (missing === undefined) return [];
      const remedy = 'npm run status, and npm run up where it does not go on by itself.';
      return [{ message: `The service ${name} is not complete: ${missing}.`, remedy }];
    });
    return { findings, detail: `${count(pods.length, 'pod')} of ${count(names.length, 'service')}` };
  },
};
