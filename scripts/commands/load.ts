import { demandCluster } from '../components/cluster-ownership.ts';
import { ask, routeTable, urlOf } from '../components/routes.ts';
import { apiSite } from '../components/services.ts';
import { type Context, createContext } from '../context.ts';
import { ExitCode, UserError } from '../lib/errors.ts';
import { createProgress } from '../lib/progress.ts';
import { goodPath, most, readPlan, usual } from '../load/plan.ts';
import { shownBy } from '../load/shown-by.ts';
import { sendStream } from '../load/stream.ts';
import { page, reportOf } from '../load/words.ts';
import { openRepository } from '../validation/repository.ts';
import type { Command, Invocation } from './command.ts';

export const load: Command = {
  name: 'load',
  summary: 'Send a gentle stream of requests, so that the dashboards have something to show.',
  description: [
    `Sends GET ${goodPath} through the ingress of this cluster, and nowhere else, over TLS that the local authority has to`,
    'vouch for. Some requests ask for a page that is not there: those 404s are the errors. Then it tells what came back and',
    'how fast, and which dashboards show it. Ctrl-C ends it, and it tells what there is.',
  ].join('\n'),
  flags: {
    seconds: { type: 'seconds', description: `For how long (default: ${usual.seconds}, at most ${most.seconds}).` },
    rate: {
      type: 'text',
      value: 'number',
      description: `Requests a second (default: ${usual.rate}, at most ${most.rate}).`,
    },
    errors: {
      type: 'text',
      value: 'percent',
      description: `How many of them ask for what is not there (default: ${usual.errors}).`,
    },
    json: { type: 'boolean', description: 'Print what came of it as JSON.' },
  },
  examples: ['npm run load', 'npm run load -- --seconds 600 --rate 20', 'npm run load -- --errors 0'],
  run: runLoad,
};

async function runLoad({ config, flags, signal, print, progressStream }: Invocation): Promise<ExitCode> {
  const plan = readPlan(flags);
  const context = createContext(config, { signal });
  await demandCluster(context);
  const site = await apiSite(context);
  const { missing } = await ask(context, site, goodPath);
  if (missing !== undefined)
    throw new UserError(`Nothing was sent: ${missing}.`, { hint: 'npm run status says what is missing.' });
  const url = urlOf(context, site);
  const progress = createProgress(progressStream);
  progress.start(`sending ${plan.rate} requests a second to ${url} for ${plan.seconds} s`);
  const send = async (path: string) => {
    const { status, missing } = await ask(context, site, path);
    if (status === undefined) throw new Error(missing);
    return status;
  };
  const stream = await sendStream(plan, send, signal);
  progress.stop();
  const report = reportOf(url, plan, stream, await shownBy(repository(context)), grafanaUrl(context));
  print(flags.json ? JSON.stringify(report, undefined, 2) : page(report));
  if (stream.interrupted) return ExitCode.interrupted;
  return report.latency === undefined ? ExitCode.failed : ExitCode.done;
}

/** No chart is rendered for it, so that no tool is needed. */
function repository({ config, exec, toolbox }: Context) {
  return openRepository(config.root, { exec, find: (name) => toolbox.find(name) });
}

function grafanaUrl(context: Context): string {
  const grafana = routeTable.find(({ title }) => title === 'Grafana');
  return grafana ? urlOf(context, grafana) : '';
}
