import type { Command } from '../command.ts';

export const logsCommand: Command = {
  name: 'logs',
  summary: 'Show the logs of all pods of a service, or of a part of the platform.',
  description: [
    'Prints the last 100 lines of each container of api-node, core-go, worker-python, prometheus, grafana or any other',
    'workload by its name, or of all that belongs to argocd or ingress, in the order of time, each behind its pod. --follow',
    'goes on until Ctrl-C, also with the pods that replace them, the containers that restart, and while the API server',
    'restarts.',
  ].join('\n'),
  flags: {
    follow: { type: 'boolean', description: 'Go on, until Ctrl-C.' },
    since: { type: 'text', value: 'time', description: 'Only what was written in the last 30s, 10m or 2h, all of it.' },
    tail: { type: 'text', value: 'lines', description: 'So many lines of each container, or all.' },
    previous: { type: 'boolean', description: 'Of the run before, where a container was restarted.' },
    json: { type: 'boolean', description: 'Print each line as JSON: time, namespace, pod, container, text.' },
  },
  operands: ['service'],
  examples: [
    'npm run logs -- api-node',
    'npm run logs -- core-go --follow --since 10m',
    'npm run logs -- core-go --previous',
    'npm run logs -- argocd --tail 20',
    'npm run --silent logs -- ingress --json | jq -r .text',
  ],
  run: async (invocation) => (await import('../logs.ts')).runLogs(invocation),
};
