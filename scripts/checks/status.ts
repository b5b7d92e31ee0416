import { type Address, addresses, addressLines } from '../access/addresses.ts';
import { cluster } from '../cluster/cluster.ts';
import type { Component, Status } from '../cluster/component.ts';
import { notReadyReason } from '../components/applications.ts';
import { followedCommit } from '../components/git-source.ts';
import { componentsFor } from '../components/index.ts';
import { readTargets, type ScrapeTarget } from '../components/prometheus-client.ts';
import { hasForeignPullSecret, theirSecret } from '../components/pull-secret.ts';
import { findApiSite } from '../components/services.ts';
import { type Drift, findDrift, noDrift } from '../delivery/drift/drift.ts';
import type { Context } from '../images/context.ts';
import { type CredentialsReport, reportCredentials } from '../images/credentials/report.ts';
import { stubsAmong } from '../images/stubs.ts';
import { ApiError, Unreachable, withoutAnswer } from '../kubernetes/api/api.ts';
import type { Workload } from '../kubernetes/types.ts';
import { rolloutState } from '../kubernetes/workloads.ts';
import { UserError } from '../lib/errors.ts';
import { applicationsOf, deploymentOf } from '../repository/applications.ts';
import { imagesAtHead, servicesAtHead } from '../repository/committed-values.ts';

export interface ApplicationReport {
  name: string;
  revision: string | undefined;
  sync: string;
  health: string;
  /** The image that its newest pods run, or older ones while none of these is ready, and whether that is a stand-in. */
  image: string | undefined;
  standIn: boolean;
  /** How many pods were told to stop and still do, as after a rollout. */
  terminating: number;
  problem: string | undefined;
}

/** All that `status` shows, and what `--json` prints. */
export interface StatusReport {
  ok: boolean;
  cluster: string;
  credentials: CredentialsReport;
  components: ({ name: string } & Status)[];
  applications: ApplicationReport[];
  targets: { up: number; total: number; down: { name: string; error: string }[] };
  drift: Drift;
  urls: Address[];
}

/** Looks at everything side by side, and changes nothing. */
export async function gatherStatus(context: Context): Promise<StatusReport> {
  const others = componentsFor(context.config).filter(({ name }) => name !== cluster.name);
  // Asked beside the cluster, the slowest answer of all first. What goes wrong is told where it is needed.
  context.images.inNode().catch(() => {});
  context.checkout().catch(() => {});
  const credentials = reportCredentials(context);
  credentials.catch(() => {});
  const clusterStatus = await cluster.status(context);
  const reachable = clusterStatus.state === 'ready';
  const [found, theirs, components, applications, targets, drift] = await Promise.all([
    credentials,
    reachable && hasForeignPullSecret(context),
    Promise.all(others.map((component) => (reachable ? componentStatus(context, component) : unknownStatus()))),
    reachable ? applicationReports(context) : [],
    reachable ? targetReport(context) : { up: 0, total: 0, down: [] },
    reachable ? findDrift(context) : noDrift,
  ]);
  const account = theirs && found.state === 'none' ? { ...found, message: `Images are pulled ${theirSecret}.` } : found;
  // What Git says nothing about, and what was undone, is told, but is no fault.
  const drifted = drift.now.some(({ argocd }) => argocd !== 'leaves it');
  const all = [
    { name: cluster.name, ...clusterStatus },
    ...components.map((status, index) => ({ name: others[index]?.name ?? '', ...status })),
  ];
  return {
    ok:
      all.every(({ state }) => state === 'ready') &&
      targets.down.length === 0 &&
      account.state !== 'refused' &&
      !drifted,
    cluster: context.config.clusterName,
    credentials: account,
    components: all,
    applications,
    targets,
    drift,
    urls: await addresses(context),
  };
}

async function componentStatus(context: Context, component: Component): Promise<Status> {
  try {
    return await component.status(context);
  } catch (error) {
    if (error instanceof Unreachable || error instanceof ApiError) return { state: 'unready', missing: error.message };
    if (error instanceof UserError)
      return { state: 'unready', missing: error.message, ...(error.hint !== undefined && { hint: error.hint }) };
    throw error;
  }
}

async function unknownStatus(): Promise<Status> {
  return { state: 'absent', missing: 'the cluster is not there to ask' };
}

async function applicationReports(context: Context): Promise<ApplicationReport[]> {
  const [applications, deployments] = await Promise.all([
    applicationsOf(context),
    context.view().list<Workload>('apps/v1', 'Deployment'),
  ]);
  const head = context.config.gitops ? undefined : (await context.checkout()).head;
  const reports = await Promise.all(
    applications.map(async (application) => {
      const { name } = application.metadata;
      const deployment = deploymentOf(application, deployments);
      return {
        name,
        revision: application.status?.sync?.revision ?? application.status?.sync?.revisions?.join(', '),
        sync: application.status?.sync?.status ?? 'Unknown',
        health: application.status?.health?.status ?? 'Unknown',
        image: undefined,
        terminating: 0,
        ...(deployment && rolloutState(deployment, await context.view().podsOf(deployment))),
        standIn: false,
        problem: notReadyReason(application, head && followedCommit(context.config, application, head)),
      };
    }),
  );
  const standIns = await stubsAmong(
    context,
    reports.flatMap(({ image }) => image ?? []),
  );
  return reports.map((report) => ({ ...report, standIn: report.image !== undefined && standIns.has(report.image) }));
}

async function targetReport(context: Context): Promise<StatusReport['targets']> {
  // That Prometheus is not there is said by its own line.
  const targets = await readTargets(context).catch(withoutAnswer<ScrapeTarget[]>([]));
  const down = targets
    .filter(({ health }) => health === 'down')
    .map(({ labels, lastError }) => ({ name: targetName(labels), error: lastError }));
  return { up: targets.filter(({ health }) => health === 'up').length, total: targets.length, down };
}

/** The job as well: the kubelet and the cAdvisor in it are two targets at one address. */
function targetName({ job = '', pod, instance = '' }: ScrapeTarget['labels']): string {
  return pod ?? `${job} at ${instance}`;
}

/**
 * What `up` and `start` end with: that it is done, where things are, and what to try next.
 * @param changes how much was changed
 * @param path which steps decided how long it took, where they are known
 */
export async function upSummary(context: Context, seconds: number, changes: number, path = ''): Promise<string> {
  const { environment, gitops } = context.config;
  const stubs = await stubsAmong(context, (await imagesAtHead(context)).values());
  const [api, services] = await Promise.all([findApiSite(context), servicesAtHead(context)]);
  // One behind the API shows its new version in the API's answer.
  const edited = services.find(({ name }) => name === api?.upstream) ?? services[0];
  const file = `${edited?.path ?? 'helm/NAME'}/values-${environment}.yaml`;
  const verdict = changes === 0 ? 'Everything was already as it should be; nothing was changed' : 'The platform is up';
  return [
    '',
    `${verdict} (${seconds.toFixed(1)} s).`,
    ...(path === '' ? [] : [`Critical path: ${path}`]),
    '',
    ...addressLines(await addresses(context)),
    '',
    '  Argo CD and Grafana: user admin, passwords by npm run passwords',
    ...(stubs.size === 0
      ? []
      : [
          '',
          '  No GitHub token: these services run as local stubs with the same ports, paths and metrics.',
          ...[...stubs].map((image) => `    ${image} (stand-in)`),
          '  npm run credentials brings the real ones, with a token that may read them.',
        ]),
    '',
    '  Next: npm run status                        what runs, and from which commit',
    `        edit ${file} and git commit${gitops ? ' and push' : ''}: it deploys within seconds`,
    '        npm run down                          take all of it away',
    '        npm run trust                         make browsers trust these addresses',
  ].join('\n');
}
