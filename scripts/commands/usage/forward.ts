import { destinations, ingressName } from '../../access/port-forward/destinations.ts';
import type { Command } from '../command.ts';

export const forwardCommand: Command = {
  name: 'forward',
  summary: 'Lead ports of this machine to Prometheus, Grafana, Argo CD and the API.',
  description: [
    'Opens a port on 127.0.0.1 for each of them, or for those that are named, until Ctrl-C. They stay open while pods are',
    'replaced and the API server restarts: who comes meanwhile waits for the new pod. It needs no ingress, so it works',
    'where that does not. A port that is taken is not replaced by another one: --port chooses. Ends with exit code 1 once',
    'the cluster is deleted. With TARGET_CONTEXT, ingress opens HTTPS_PORT for all that the ingress serves.',
  ].join('\n'),
  flags: {
    port: {
      type: 'text',
      value: 'port',
      repeated: true,
      description: 'Another port: 9091, or for one of several grafana=3001. 0 takes any that is free.',
    },
    json: { type: 'boolean', description: 'Print the addresses as a line of JSON.' },
  },
  words: [...destinations.map(({ name }) => name), ingressName],
  severalWords: true,
  examples: [
    'npm run forward',
    'npm run forward -- prometheus grafana',
    'npm run forward -- argocd --port 9443',
    'npm run forward -- --port grafana=3030 --port api=3031',
  ],
  run: async (invocation) => (await import('../forward.ts')).runForward(invocation),
};
