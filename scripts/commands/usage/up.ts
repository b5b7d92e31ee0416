import type { Command } from '../command.ts';
import { checkFlags, lockFlags } from './flags.ts';

export const upCommand: Command = {
  name: 'up',
  summary: 'Bring the whole platform up, or put right what is missing.',
  description: [
    'Creates the kind cluster and installs everything into it, side by side where possible: Argo CD, the ingress',
    'controller, the services, Prometheus and Grafana. It is done when every service answers and is scraped.',
    'Run it again at any time: what is as it should be stays untouched. No token is needed; without one, small',
    'stand-ins take the place of the private images (npm run credentials). .env.example lists the settings. With',
    'TARGET_CONTEXT it uses a cluster that is there; the first time it asks whether that is the one.',
  ].join('\n'),
  flags: {
    yes: {
      type: 'boolean',
      typedOnly: true,
      description: 'Do not ask whether the cluster of TARGET_CONTEXT is meant.',
    },
    timeout: { type: 'seconds', description: 'How long a single step may take (default: 300).' },
    json: { type: 'boolean', description: 'Print the result as JSON on standard output.' },
    verbose: { type: 'boolean', description: 'Show every command that is run.' },
    trace: { type: 'text', value: 'file', description: 'Write a timeline to this file, which ui.perfetto.dev shows.' },
    ...checkFlags,
    ...lockFlags,
  },
  examples: [
    'npm run up',
    'npm run up -- --timeout 600',
    'npm run up -- --trace up.json',
    'CLUSTER_NAME=second HTTP_PORT=9080 HTTPS_PORT=9443 npm run up',
  ],
  run: async (invocation) => (await import('../up.ts')).runUp(invocation),
};
