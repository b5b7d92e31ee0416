import type { Command } from '../command.ts';

export const shellCommand: Command = {
  name: 'shell',
  summary: 'Open a shell in a pod of a service, or beside it where it has none.',
  description: [
    'Opens a shell in a ready pod, in its first container. Most images have no shell, which is how it should be: for those a',
    'debug container is put beside it, with an image that the node has already. It shares the network and, below',
    '/proc/1/root, the files of the container; it has no more rights than that one. It stays in the pod,',
    'ended, until the pod is replaced. A shell takes a terminal; --command takes none, and ends with the exit code of',
    'the command where the container has the shell (kubectl tells none of a debug container).',
  ].join('\n'),
  flags: {
    command: { type: 'text', value: 'text', description: 'Run this by sh, and end.' },
    debug: { type: 'boolean', description: 'Take a debug container, also where there is a shell.' },
  },
  operands: ['service'],
  examples: ['npm run shell -- api-node', 'npm run shell -- core-go --debug', 'npm run shell -- grafana --command=env'],
  run: async (invocation) => (await import('../shell.ts')).runShell(invocation),
};
