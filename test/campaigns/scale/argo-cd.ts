import { demand, type Person } from '../../e2e/support.ts';

/** What a program of Argo CD takes: memory in MiB, and seconds of processors since its start. */
export type Taken = Record<string, { memory: number; cpu: number }>;

const programs = ['application-controller', 'repo-server', 'redis'];

/** As the kubelet tells it of the pods. */
export async function argoCd(person: Person, cluster: string): Promise<Taken> {
  const kubectl = ['kubectl', '--kubeconfig', `.state/${cluster}/kubeconfig`, 'get', '--raw'] as const;
  const path = `/api/v1/nodes/${cluster}-control-plane/proxy/stats/summary`;
  const { pods } = JSON.parse((await demand(person.run([...kubectl, path]))).stdout) as {
    pods: {
      podRef: { name: string };
      memory?: { workingSetBytes?: number };
      cpu?: { usageCoreNanoSeconds?: number };
    }[];
  };
  return Object.fromEntries(
    programs.map((program) => {
      const pod = pods.find(({ podRef }) => podRef.name.startsWith(`argocd-${program}`));
      const memory = (pod?.memory?.workingSetBytes ?? 0) / 1024 ** 2;
      return [program, { memory, cpu: (pod?.cpu?.usageCoreNanoSeconds ?? 0) / 1e9 }];
    }),
  );
}
