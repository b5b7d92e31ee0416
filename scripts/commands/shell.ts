import { workloadsNamed } from '../access/logs.ts';
import { findShell, type ShellTarget, shellArguments, shellInput } from '../access/shell.ts';
import { assertCluster } from '../cluster/cluster.ts';
import { createContext } from '../context.ts';
import { type ExitCode, UsageError } from '../lib/errors.ts';
import { runInteractively } from '../lib/exec.ts';
import type { Command, Invocation } from './command.ts';

export const shellCommand: Command = {
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
  run: runShell,
};

async function runShell({ config, flags, operands = [], signal, progressStream }: Invocation): Promise<ExitCode> {
  const word = operands[0] ?? '';
  const command = typeof flags.command === 'string' ? flags.command : undefined;
  if (command === undefined && !(process.stdin.isTTY && process.stdout.isTTY))
    throw new UsageError('A shell needs a terminal.', `npm run shell -- ${word} --command 'ls /'`);
  const context = createContext(config, { signal });
  await assertCluster(context);
  const [workload, ...others] = await workloadsNamed(context, word);
  if (!workload || others.length > 0)
    throw new UsageError(
      `"${word}" matches several workloads; name one.`,
      `Name one: ${[workload, ...others].map((one) => one?.metadata.name).join(', ')}.`,
    );
  const way = await findShell(context, workload, flags.debug === true);
  progressStream.write(`${sentence(way)}\n`);
  const kubectl = await context.kubectl();
  context.reconnect();
  const line = kubectl.command(shellArguments(way, command));
  // What it ends with is the answer: that of the shell, or of the command.
  return (await runInteractively(line, {
    env: config.childEnv.tool,
    signal,
    input: shellInput(way, command),
  })) as ExitCode;
}

function sentence({ pod, container, image }: ShellTarget): string {
  const where = `${pod.metadata.name}, container ${container}`;
  if (image === undefined) return `In ${where}.`;
  return `Beside ${where}, in a debug container of ${image}; the files of ${container} are below /proc/1/root.`;
}
