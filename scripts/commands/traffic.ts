import { dashboardsWithRequests, formatTrafficReport, trafficReport } from '../checks/traffic/report.ts';
import {
  defaultPlan,
  goodPath,
  maximum,
  plannedPaths,
  readPlan,
  type SentRequest,
  sendStream,
} from '../checks/traffic/stream.ts';
import { assertCluster } from '../cluster/cluster.ts';
import { askIngress, routeTable, siteUrl } from '../components/routes.ts';
import { apiSite } from '../components/services.ts';
import { createContext } from '../context.ts';
import { ExitCode, UserError } from '../lib/errors.ts';
import { createProgress } from '../lib/terminal/progress.ts';
import { openRepository } from '../repository/rendering/repository.ts';
import type { Command, Invocation } from './command.ts';

export const trafficCommand: Command = {
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
  examples: ['npm run traffic', 'npm run traffic -- --seconds 600 --rate 20', 'npm run traffic -- --errors 0'],
  run: runTraffic,
};

async function runTraffic({ config, flags, signal, print, progressStream }: Invocation): Promise<ExitCode> {
  const plan = readPlan(flags);
  const context = createContext(config, { signal });
  await assertCluster(context);
  const site = await apiSite(context);
  const { missing } = await askIngress(context, site, goodPath);
  if (missing !== undefined)
    throw new UserError(`Nothing was sent: ${missing}.`, { hint: 'npm run status says what is missing.' });
  const url = siteUrl(context, site);
  const progress = await createProgress(progressStream);
  progress.start(`sending ${plan.rate} requests a second to ${url} for ${plan.seconds} s`);
  const started = performance.now();
  const sent: SentRequest[] = [];
  const send = (path: string) => askIngress(context, site, path);
  await sendStream({ paths: plannedPaths(plan), rate: plan.rate, send, signal, sent });
  const told = { url, plan, seconds: (performance.now() - started) / 1000, interrupted: signal.aborted };
  progress.stop();
  // No chart is rendered for it, so that no tool is needed.
  const repository = openRepository(config.root, { exec: context.exec, find: (name) => context.toolbox.find(name) });
  const grafana = routeTable.find(({ title }) => title === 'Grafana');
  const shownBy = await dashboardsWithRequests(repository, grafana ? siteUrl(context, grafana) : '');
  const report = trafficReport(told, sent, shownBy);
  print(flags.json ? JSON.stringify(report, undefined, 2) : formatTrafficReport(report));
  if (report.interrupted) return ExitCode.interrupted;
  return report.latency === undefined ? ExitCode.failed : ExitCode.done;
}
