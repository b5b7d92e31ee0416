import { goodPath, readPlan } from '../checks/traffic/plan.ts';
import { dashboardsWithRequests, formatTrafficReport, trafficReport } from '../checks/traffic/report.ts';
import { sendStream } from '../checks/traffic/stream.ts';
import { assertCluster } from '../cluster/cluster.ts';
import { askIngress, routeTable, siteUrl } from '../components/routes.ts';
import { apiSite } from '../components/services.ts';
import { createContext } from '../context.ts';
import type { Context } from '../images/context.ts';
import { ExitCode, UserError } from '../lib/errors.ts';
import { createProgress } from '../lib/terminal/progress.ts';
import { openRepository } from '../repository/rendering/repository.ts';
import type { Invocation } from './command.ts';

/** Carries out `npm run load`. */
export async function runLoad({ config, flags, signal, print, progressStream }: Invocation): Promise<ExitCode> {
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
  const send = async (path: string) => {
    const { status, missing } = await askIngress(context, site, path);
    if (status === undefined) throw new Error(missing);
    return status;
  };
  const stream = await sendStream(plan, send, signal);
  progress.stop();
  const report = trafficReport(
    url,
    plan,
    stream,
    await dashboardsWithRequests(repository(context)),
    grafanaUrl(context),
  );
  print(flags.json ? JSON.stringify(report, undefined, 2) : formatTrafficReport(report));
  if (stream.interrupted) return ExitCode.interrupted;
  return report.latency === undefined ? ExitCode.failed : ExitCode.done;
}

/** No chart is rendered for it, so that no tool is needed. */
function repository({ config, exec, toolbox }: Context) {
  return openRepository(config.root, { exec, find: (name) => toolbox.find(name) });
}

function grafanaUrl(context: Context): string {
  const grafana = routeTable.find(({ title }) => title === 'Grafana');
  return grafana ? siteUrl(context, grafana) : '';
}
