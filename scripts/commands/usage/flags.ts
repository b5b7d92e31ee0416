import { preflightCheckNames } from '../../config/check-names.ts';

/** A flag for every command that changes the cluster. */
export const lockFlags = {
  'no-wait': { type: 'boolean', description: 'Fail at once if another command is working on the cluster.' },
} as const;

/** Flags of every command that edits values files. */
export const deliveryFlags = {
  'no-commit': { type: 'boolean', description: 'Only edit the files.' },
  push: { type: 'boolean', description: 'Push the commit, after those that came in meanwhile.' },
  json: { type: 'boolean', description: 'Print the result as JSON.' },
  timeout: { type: 'seconds', description: 'How long to wait until the commit runs (default: 300).' },
  verbose: { type: 'boolean', description: 'Show every command that is run.' },
  ...lockFlags,
} as const;

/** A flag for every command that runs preflight checks. */
export const checkFlags = {
  'ignore-checks': {
    type: 'text',
    value: 'names',
    repeated: true,
    choices: preflightCheckNames,
    description: `Only warn about problems of these checks, as IGNORE_CHECKS does: comma-separated.`,
  },
} as const;
