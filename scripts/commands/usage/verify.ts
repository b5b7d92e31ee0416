import { verificationCheckNames } from '../../checks/names.ts';
import type { Command } from '../command.ts';

export const verifyCommand: Command = {
  name: 'verify',
  summary: 'Hold the running monitoring against what it promises.',
  description: [
    'Looks whether every pod is one target with the right labels, whether every rule and every panel has data, whether the',
    'counters move when requests come through the ingress (it sends ten), and whether Grafana has every dashboard and its',
    'data source. Prints a table; exit code 1 with the first cause and what to do about it. What may pass by itself, as',
    'while a pod starts, is waited for. Changes nothing. Words choose single checks.',
  ].join('\n'),
  flags: {
    json: { type: 'boolean', description: 'Print what was found as JSON.' },
    timeout: { type: 'seconds', description: 'How long to wait for what may pass by itself (default: 90).' },
  },
  words: verificationCheckNames,
  severalWords: true,
  examples: [
    'npm run verify',
    'npm run verify -- targets labels',
    'npm run --silent verify -- --json | jq .firstCause',
  ],
  run: async (invocation) => (await import('../verify.ts')).runVerify(invocation),
};
