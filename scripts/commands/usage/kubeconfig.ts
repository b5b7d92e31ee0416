import type { Command } from '../command.ts';

export const kubeconfigCommand: Command = {
  name: 'kubeconfig',
  summary: "Show the cluster's private kubeconfig, or merge it into yours.",
  description: [
    'Prints where the private kubeconfig is, and how kubectl uses it. --merge adds cluster, user and context to your own',
    'kubeconfig (the first of KUBECONFIG that exists, or ~/.kube/config), with a backup of what it was beside it; your',
    'current context stays the current one unless --use asks for ours. Everything else in the file keeps its bytes. --remove',
    'takes the three out again, and so does npm run down. A cluster made anew has other credentials: --merge renews them.',
  ].join('\n'),
  flags: {
    merge: { type: 'boolean', description: "Add the cluster's context to your own kubeconfig." },
    use: { type: 'boolean', description: 'Make it the current context as well.' },
    remove: { type: 'boolean', description: 'Take it out again.' },
    json: { type: 'boolean', description: 'Print as JSON.' },
  },
  examples: [
    'npm run kubeconfig',
    'npm run kubeconfig -- --merge',
    'npm run kubeconfig -- --merge --use',
    'npm run kubeconfig -- --remove',
    'npm run --silent kubeconfig -- --json | jq -r .path',
  ],
  run: async (invocation) => (await import('../kubeconfig.ts')).runKubeconfig(invocation),
};
