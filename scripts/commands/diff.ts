import { presence } from '../cluster/cluster.ts';
import { createContext } from '../context.ts';
import { diffPage } from '../delivery/diff/print.ts';
import { diffExitCode, gatherDiff } from '../delivery/diff/report.ts';
import type { Context } from '../images/context.ts';
import { ExitCode, UsageError, UserError } from '../lib/errors.ts';
import { type Command, contextOptions, type Invocation } from './command.ts';

export const diffCommand: Command = {
  description: [
    "Renders the charts of the working tree with Argo CD's own Helm, asks the API server what applying that would change,",
    'as a dry run, and adds what would be pruned and what would restart. New files count, those that Git ignores do not.',
    'The manifests outside of helm/ belong to npm run up: what that would change is told apart. Nothing is changed.',
    'Exit code 0 if nothing would change, 1 if something would, 2 if not everything could be compared.',
  ].join('\n'),
  flags: {
    app: { type: 'text', value: 'name', description: 'Look at this Application alone.' },
    json: { type: 'boolean', description: 'Print the differences as JSON.' },
    verbose: { type: 'boolean', description: 'Show every command that is run.' },
  },
  failure: ExitCode.usage,
  examples: ['npm run diff', 'npm run diff -- --app core-go', 'npm run --silent diff -- --json | jq .applications'],
  run: runDiff,
};

async function runDiff({ config, flags, signal, print, progressStream }: Invocation): Promise<ExitCode> {
  const note = (text: string) => void progressStream.write(`${text}\n`);
  const context = createContext(config, contextOptions({ flags, signal }, note));
  await assertCluster(context);
  const report = await gatherDiff(context, typeof flags.app === 'string' ? flags.app : undefined);
  const coloured = process.stdout.isTTY === true && process.stdout.hasColors();
  print(flags.json ? JSON.stringify(report, undefined, 2) : diffPage(report, coloured));
  return diffExitCode(report);
}

/** Throws a `UsageError` where there is nothing to compare with. */
async function assertCluster(context: Context): Promise<void> {
  const { clusterName } = context.config;
  const state = await presence(context);
  if (state === undefined)
    throw new UsageError(`There is no cluster ${clusterName} to compare with.`, {
      id: 'no-cluster',
      hint: 'npm run up',
    });
  if (state !== 'running') {
    throw new UserError(`The cluster ${clusterName} is ${state}: there is nothing to compare with.`, {
      hint: 'npm run up starts it.',
    });
  }
}
