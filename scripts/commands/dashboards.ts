import { assertCluster } from '../cluster/cluster.ts';
import { createContext } from '../context.ts';
import {
  applyPull,
  compareDashboards,
  type DashboardComparison,
  dashboardDiff,
  type PullResult,
  planPull,
} from '../delivery/dashboards.ts';
import { ExitCode } from '../lib/errors.ts';
import { uncommittedFiles } from '../lib/git/checkout.ts';
import { columns } from '../lib/text.ts';
import type { Command, Invocation } from './command.ts';

export const dashboardsCommand: Command = {
  description: [
    'list says of each dashboard whether its file and Grafana agree, and which of them was changed. pull writes what was',
    'saved in Grafana into the files, in an order of fields that is always the same, so that git diff shows what was changed',
    'and nothing else; a dashboard that was made in Grafana becomes a new file. What is not pulled is lost when the pod of',
    "Grafana is replaced. diff shows what pull would change, and ends with 1 if that is something. Without a dashboard's uid,",
    'all are meant.',
  ].join('\n'),
  flags: {
    'dry-run': { type: 'boolean', description: 'Only say what pull would write.' },
    force: {
      type: 'boolean',
      typedOnly: true,
      description: 'Have pull replace what was changed in a file as well, and is not committed.',
    },
    json: { type: 'boolean', description: 'Print what list or pull says as JSON.' },
  },
  words: ['list', 'pull', 'diff'],
  more: 'uid',
  examples: ['npm run dashboards', 'npm run dashboards -- pull', 'npm run dashboards -- diff platform-overview'],
  run: runDashboards,
};

async function runDashboards(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, word, operands = [], signal, print } = invocation;
  const context = createContext(config, { signal });
  await assertCluster(context);
  const compared = await compareDashboards(context, operands);
  if (word === 'pull') {
    const { prefix } = await context.checkout();
    const unsaved = new Set(await uncommittedFiles(context.exec, config.root, ['observability/grafana']));
    const plan = compared.map((one) => planPull(one, (file) => flags.force === true || !unsaved.has(prefix + file)));
    if (!flags['dry-run']) await applyPull(config.root, compared, plan);
    print(flags.json ? JSON.stringify(plan, undefined, 2) : pulledPage(plan, flags['dry-run'] === true));
    return plan.some(({ result }) => result === 'refused') ? ExitCode.failed : ExitCode.done;
  }
  if (word === 'diff') {
    const all = await Promise.all(compared.map(dashboardDiff));
    const found = all.filter((text) => text !== '');
    if (found.length > 0) print(found.join('\n'));
    return found.length > 0 ? ExitCode.failed : ExitCode.done;
  }
  const list = compared.map(({ uid, title, state }) => ({ uid, title, state }));
  print(flags.json ? JSON.stringify(list, undefined, 2) : listPage(list));
  return ExitCode.done;
}

function listPage(list: readonly Pick<DashboardComparison, 'uid' | 'title' | 'state'>[]): string {
  const rows = columns(
    list.map(({ uid, title }) => [uid, title]),
    '',
  );
  const width = Math.max(...rows.map((row) => row.length));
  const lines = list.map(({ state }, index) => `${(rows[index] ?? '').padEnd(width)}  ${state}`);
  const changed = list.some(({ state }) => /in (Grafana|both)$/.test(state));
  return [
    ...lines,
    ...(changed ? ['', 'npm run dashboards -- pull writes what was saved in Grafana into the files.'] : []),
  ].join('\n');
}

const signs = { written: '✔', unchanged: '✔', kept: '!', refused: '✖' } as const;

function pulledPage(plan: readonly PullResult[], dry: boolean): string {
  const lines = plan.map(({ uid, file, result, reason }) => {
    const done = result === 'written' ? `${dry ? 'would be written' : 'written'} to ${file}, ${reason}` : reason;
    return `${signs[result]} ${uid}: ${done}`;
  });
  const written = plan.some(({ result }) => result === 'written') && !dry;
  const next = ['', 'Next: git diff observability/grafana, npm run validate -- dashboards, git commit, npm run up'];
  return [...lines, ...(written ? next : [])].join('\n');
}
