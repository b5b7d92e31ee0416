import { defaultPlan, goodPath, maximum } from '../../checks/traffic/plan.ts';
import type { Command } from '../command.ts';

export const loadCommand: Command = {
  name: 'load',
  summary: 'Send a gentle stream of requests, so that the dashboards have something to show.',
  description: [
    `Sends GET ${goodPath} through the ingress of this cluster, and nowhere else, over TLS that the local authority has to`,
    'vouch for. Some requests ask for a page that is not there: those 404s are the errors. Then it tells what came back and',
    'how fast, and which dashboards show it. Ctrl-C ends it, and it tells what there is.',
  ].join('\n'),
  flags: {
    seconds: {
      type: 'seconds',
      description: `For how long (default: ${defaultPlan.seconds}, at most ${maximum.seconds}).`,
    },
    rate: {
      type: 'text',
      value: 'number',
      description: `Requests a second (default: ${defaultPlan.rate}, at most ${maximum.rate}).`,
    },
    errors: {
      type: 'text',
      value: 'percent',
      description: `How many of them ask for what is not there (default: ${defaultPlan.errors}).`,
    },
    json: { type: 'boolean', description: 'Print what came of it as JSON.' },
  },
  examples: ['npm run load', 'npm run load -- --seconds 600 --rate 20', 'npm run load -- --errors 0'],
  run: async (invocation) => (await import('../load.ts')).runLoad(invocation),
};
