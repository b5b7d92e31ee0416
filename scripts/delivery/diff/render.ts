import { packTar } from 'modern-tar';
import type { Context } from '../../images/context.ts';
import { isReady, type Pod } from '../../kubernetes/workloads.ts';
import { UserError } from '../../lib/errors.ts';
import { CommandError } from '../../lib/exec.ts';
import { limitConcurrency } from '../../lib/tasks.ts';
import { type Application, argocdNamespace } from '../../repository/applications.ts';
import { reasonIn } from '../../repository/rendering/helm.ts';
import { type ChartFile, chartFiles } from './chart-files.ts';
import { explainRefusal } from './explain-refusal.ts';
import type { Facts } from './facts.ts';
import { helmArguments, valueFilesOf } from './helm-arguments.ts';

const repoServer = 'argocd-repo-server';
/** Seconds that a chart may take to be unpacked or rendered. */
const patience = 60;
/** How many charts are rendered at once: a hundred runs of helm in one pod would want more memory than it may have. */
const atOnce = 4;
/** What the script below ends with where it is the chart's fault. */
const refused = 3;

/**
 * Runs in Argo CD's repo-server: unpacks standard input into a folder of its own, renders the chart in the folder that
 * the first argument names, and leaves nothing behind, whether it fails or nobody listens any more. Helm's own folders are
 * in there, too, as with Argo CD.
 */
const script = `umask 077
top=$(mktemp -d /tmp/platform-ops-diff.XXXXXX) || exit 1
trap 'rm -rf "$top"' EXIT
trap 'exit 130' HUP INT TERM PIPE
mkdir "$top/tree" "$top/helm" && timeout ${patience} tar -x -C "$top/tree" -f - && cd "$top/tree/$1" || exit 1
shift
export HELM_CACHE_HOME="$top/helm" HELM_CONFIG_HOME="$top/helm" HELM_DATA_HOME="$top/helm"
timeout ${patience} helm template . "$@" || exit ${refused}`;

/** Renders the chart of an Application as it is in the working tree. */
export type Renderer = (application: Application, facts: Facts) => Promise<string>;

/**
 * Finds Argo CD's repo-server and has it render. Throws a `UserError` where it isn't there; the renderer throws one with
 * helm's words for a chart that can't be rendered.
 */
export async function createRenderer(context: Context): Promise<Renderer> {
  const [pod, checkout, kubectl] = await Promise.all([readyPod(context), context.checkout(), context.kubectl()]);
  const exec = ['exec', '--stdin', pod, '--namespace', argocdNamespace, '--container', repoServer, '--'];
  const inTurn = limitConcurrency(atOnce);
  const render: Renderer = async (application, facts) => {
    const { path } = application.spec.source;
    const args = helmArguments(application, facts);
    const files = await chartFiles(context.exec, checkout.top, [path, ...valueFilesOf(application)]);
    const { stdout, stderr, exitCode } = await kubectl
      .run([...exec, 'sh', '-c', script, 'sh', path, ...args], {
        input: await pack(files),
        nothrow: true,
        timeout: 3 * patience * 1000,
      })
      // The command itself fills screens: the chart is told of every kind that the cluster knows.
      .catch((error: unknown) => {
        if (!(error instanceof CommandError)) throw error;
        return { stdout: '', stderr: 'it took too long', exitCode: 1 };
      });
    if (exitCode === 0) return stdout;
    const said = reasonIn(stderr.replace(/^command terminated with exit code \d+$/m, ''));
    if (exitCode === refused) throw await explainRefusal(context, application, said);
    throw new UserError(`Argo CD's repo-server could not render ${application.metadata.name}: ${said}`, {
      hint: 'npm run status shows whether Argo CD is well.',
    });
  };
  return (application, facts) => inTurn(() => render(application, facts));
}

async function readyPod(context: Context): Promise<string> {
  const pods = await context.view().list<Pod>('v1', 'Pod');
  const ours = pods.filter(
    ({ metadata }) =>
      metadata.namespace === argocdNamespace &&
      metadata.labels?.['app.kubernetes.io/name'] === repoServer &&
      metadata.deletionTimestamp === undefined,
  );
  const ready = ours.find(isReady);
  if (ready) return ready.metadata.name;
  const state = ours.length === 0 ? 'is not there' : 'is not ready';
  throw new UserError(`Argo CD's repo-server, which renders the charts, ${state}.`, { hint: 'npm run up' });
}

function pack(files: readonly ChartFile[]): Promise<Uint8Array> {
  return packTar(
    files.map((file) =>
      'link' in file
        ? { header: { name: file.path, type: 'symlink' as const, size: 0, linkname: file.link } }
        : { header: { name: file.path, size: file.content.length }, body: file.content },
    ),
  );
}
