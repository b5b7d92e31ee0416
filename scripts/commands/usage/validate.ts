import { validationCheckNames } from '../../checks/names.ts';
import type { Command } from '../command.ts';

export const validateCommand: Command = {
  name: 'validate',
  summary: 'Check charts, manifests, metrics and promotion, without a cluster.',
  description: [
    'Renders each chart with each values file and holds what comes out, and every plain manifest, against schemas, the',
    'rules of the platform and each other. Needs helm, kube-score and promtool, which are fetched where they are',
    'missing; no cluster and no Docker. A word chooses a single check. Exit code 0 if nothing was found, 1 if something',
    'was, 2 if a check could not be run.',
  ].join('\n'),
  flags: {
    json: { type: 'boolean', description: 'Print the findings as JSON.' },
    fix: { type: 'boolean', description: 'Put right what has one right answer, and validate again.' },
    rules: { type: 'boolean', description: 'List all rules, and check nothing.' },
  },
  words: validationCheckNames,
  examples: [
    'npm run validate',
    'npm run validate -- policy',
    'npm run validate -- --fix',
    'npm run validate -- --rules',
  ],
  run: async (invocation) => (await import('../validate.ts')).runValidate(invocation),
};
