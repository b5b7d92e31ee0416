import { presence } from '../cluster/cluster.ts';
import { createContext } from '../context.ts';
import { diffPage } from '../delivery/diff/print.ts';
import { diffExitCode, gatherDiff } from '../delivery/diff/report.ts';
import type { Context } from '../images/context.ts';
import { type ExitCode, UsageError, UserError } from '../lib/errors.ts';
import type { Invocation } from './command.ts';

/** Carries out `npm run diff`. */
export async function runDiff({ config, flags, signal, print, progressStream }: Invocation): Promise<ExitCode> {
  const note = (text: string) => void progressStream.write(`${text}\n`);
  const context = createContext(config, {
    signal,
    onDownload: (what) => note(`Fetching ${what}`),
    ...(flags.verbose && { onCommand: (command) => note(`$ ${command.join(' ')}`) }),
  });
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
  if (state === undefined) throw new UsageError(`There is no cluster ${clusterName} to compare with.`, 'npm run up');
  if (state !== 'running') {
    throw new UserError(`The cluster ${clusterName} is ${state}: there is nothing to compare with.`, {
      hint: 'npm run up wakes it.',
    });
  }
}
