import { setTimeout as sleep } from 'node:timers/promises';
import { addressLines } from '../access/addresses.ts';
import { gatherStatus, type StatusReport } from '../checks/status.ts';
import { withScratchState } from '../cluster/kubeconfig.ts';
import { createContext } from '../context.ts';
import { driftLines } from '../delivery/drift/drift.ts';
import type { Context } from '../images/context.ts';
import { ExitCode, Interrupted } from '../lib/errors.ts';
import { shortSha } from '../lib/git/checkout.ts';
import { outputRefused } from '../lib/terminal/output.ts';
import { columns, counted, table } from '../lib/text.ts';
import type { Command, Invocation } from './command.ts';

export const statusCommand: Command = {
  description: 'Looks at every component, Application and scrape target. Exit code 0 only if all is well.',
  flags: {
    json: { type: 'boolean', description: 'Print the report as JSON.' },
    watch: { type: 'boolean', description: 'Look again every two seconds, until Ctrl-C.' },
  },
  examples: ['npm run status', 'npm run --silent status -- --json | jq .applications', 'npm run status -- --watch'],
  run: runStatus,
};

const clearScreen = '\u001b[2J\u001b[H';

function runStatus(invocation: Invocation): Promise<ExitCode> {
  const { config } = invocation;
  // The login of a cluster that others run may have to be copied first, and what only looks leaves no file.
  if (config.target === undefined) return showStatus(invocation);
  return withScratchState(config, (scratch) => showStatus({ ...invocation, config: scratch }));
}

async function showStatus({ config, flags, signal, print }: Invocation): Promise<ExitCode> {
  let earlier: Context | undefined;
  const ended = AbortSignal.any([signal, outputRefused]);
  for (;;) {
    // A new context each time: the checkout may have moved on, and the cluster may be another. GitHub is asked once.
    const context = createContext(config, {
      signal,
      oneLook: true,
      ...(earlier && { credentials: earlier.credentials }),
    });
    earlier = context;
    const report = await gatherStatus(context);
    context.reconnect();
    const text = flags.json ? JSON.stringify(report, undefined, flags.watch ? undefined : 2) : statusPage(report);
    print(flags.watch && !flags.json && process.stdout.isTTY ? clearScreen + text : text);
    if (!flags.watch) return report.ok ? ExitCode.done : ExitCode.failed;
    await sleep(2000, undefined, { signal: ended }).catch(() => {});
    if (signal.aborted) throw new Interrupted();
    // Nobody reads on, as in `| head -1`.
    if (outputRefused.aborted) return report.ok ? ExitCode.done : ExitCode.failed;
  }
}

/** The report on one screen. */
export function statusPage(report: StatusReport): string {
  const { components, applications, targets, urls, credentials } = report;
  const drift = driftLines(report.drift);
  const rows = components.map((one) =>
    one.state === 'ready' ? ([`✔ ${one.name}`, one.detail ?? ''] as const) : ([`✖ ${one.name}`, one.missing] as const),
  );
  const lines = columns(rows, '');
  if (applications.length > 0) {
    const cells = applications.map(({ name, revision, sync, health, image, standIn, terminating }) => [
      name,
      revision === undefined ? '-' : shortSha(revision),
      sync,
      health,
      `${image ?? 'no pod'}${standIn ? ' (stand-in)' : ''}${terminating > 0 ? `, ${counted(terminating, 'old pod')} terminating` : ''}`,
    ]);
    lines.push('', ...table([['Application', 'revision', 'sync', 'health', 'image'], ...cells]));
    lines.push(
      '',
      `Prometheus: ${targets.up} of ${targets.total} targets up`,
      ...targets.down.map(({ name, error }) => `  ✖ ${name}: ${error}`),
    );
    if (drift.length > 0) lines.push('', ...drift);
    lines.push('', ...addressLines(urls, ''));
  }
  // Without a cluster and without a token there is nothing that it would be about.
  if (applications.length > 0 || credentials.state !== 'none') {
    lines.push('', credentials.message, ...credentials.notes.map((note) => `! ${note}`));
    if (credentials.remedy !== undefined) lines.push(`  → ${credentials.remedy}`);
  }
  lines.push('', report.ok ? 'All is well.' : 'Unhealthy: npm run up repairs it, npm run doctor finds the cause.');
  return lines.join('\n');
}
