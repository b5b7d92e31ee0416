import type { Command } from '../command.ts';

export const newServiceCommand: Command = {
  name: 'new-service',
  summary: 'Generate all that one more service needs, from its chart to its dashboard.',
  description: [
    'Makes an HTTP service inside the cluster, after core-go: /health, /info and /metrics on one port. It gets a chart in',
    'helm/, an Application in argocd/, its metrics, a line in the alert on absent services with its test, a dashboard, a',
    'stand-in, and its place in docs/promote-workflow.yml. All of that is written, or nothing; no file is overwritten, and',
    'nothing is committed. What comes out passes npm run validate as it stands.',
  ].join('\n'),
  flags: {
    port: { type: 'text', value: 'number', description: 'The port that it listens on (default: 8080).' },
    image: {
      type: 'text',
      value: 'repository',
      description: 'Where its image is (default: beside that of core-go, under its own name).',
    },
    // npm has a setting of that name, for what it publishes.
    tag: { type: 'text', value: 'tag', description: "The image's tag (default: that of core-go).", typedOnly: true },
    'dry-run': { type: 'boolean', description: 'Only say which files would be made and changed.' },
    json: { type: 'boolean', description: 'Print that as JSON.' },
  },
  operands: ['name'],
  examples: [
    'npm run new-service -- greeter',
    'npm run new-service -- greeter --port 9090 --image ghcr.io/zainasr/greeter --tag a1b2c3d',
    'npm run new-service -- greeter --dry-run',
  ],
  run: async (invocation) => (await import('../new-service.ts')).runNewService(invocation),
};
