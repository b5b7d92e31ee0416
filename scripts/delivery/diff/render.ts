import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { packTar } from 'modern-tar';
import { followsRepository } from '../../components/git-source.ts';
import type { Config } from '../../config/config.ts';
import type { Context } from '../../images/context.ts';
import type { Pod } from '../../kubernetes/types.ts';
import { isReady } from '../../kubernetes/workloads.ts';
import { UserError } from '../../lib/errors.ts';
import { CommandError } from '../../lib/exec.ts';
import { limitConcurrency } from '../../lib/tasks.ts';
import { type Application, argocdNamespace, type Source, topValues } from '../../repository/applications.ts';
import { reasonIn } from '../../repository/rendering/helm.ts';
import { chartFiles } from './chart-files.ts';
import { normalised } from './compare.ts';
import { assertSupported, helmArguments, valueFilesOf } from './helm-arguments.ts';
import type { ClusterFacts } from './targets.ts';

const repoServer = 'argocd-repo-server';
/** Seconds that a chart may take to be unpacked or rendered. */
const timeoutSeconds = 60;
/** How many charts are rendered at once: a hundred runs of helm in one pod would want more memory than it may have. */
const maxParallel = 4;
/** What the script below ends with where it is the chart's fault. */
const chartErrorCode = 3;

/**
 * Runs in Argo CD's repo-server: unpacks standard input into a folder of its own, runs what renders in the folder that
 * the first argument names, and leaves nothing behind, whether it fails or nobody listens any more. Helm's own folders are
 * in there, too, as with Argo CD.
 */
const script = `umask 077
top=$(mktemp -d /tmp/platform-ops-diff.XXXXXX) || exit 1
trap 'rm -rf "$top"' EXIT
trap 'exit 130' HUP INT TERM PIPE
mkdir "$top/tree" "$top/helm" && timeout ${timeoutSeconds} tar -x -C "$top/tree" -f - && cd "$top/tree/$1" || exit 1
shift
export HELM_CACHE_HOME="$top/helm" HELM_CONFIG_HOME="$top/helm" HELM_DATA_HOME="$top/helm"
timeout ${timeoutSeconds} "$@" || exit ${chartErrorCode}`;

/** Renders the chart of an Application as it is in the working tree. */
export type Renderer = (application: Application, facts: ClusterFacts) => Promise<string>;

/**
 * Finds Argo CD's repo-server and has it render. Throws a `UserError` where it isn't there; the renderer throws one with
 * helm's words for a chart that can't be rendered.
 */
export async function createRenderer(context: Context): Promise<Renderer> {
  const [pod, checkout, kubectl] = await Promise.all([readyRepoServer(context), context.checkout(), context.kubectl()]);
  const exec = ['exec', '--stdin', pod, '--namespace', argocdNamespace, '--container', repoServer, '--'];
  const inTurn = limitConcurrency(maxParallel);
  const render: Renderer = async (application, facts) => {
    const { path, command, valueFiles } = renderingOf(checkout.top, application, facts);
    const files = await chartFiles(context.exec, checkout.top, [path, ...valueFiles]);
    const { stdout, stderr, exitCode } = await kubectl
      .run([...exec, 'sh', '-c', script, 'sh', path, ...command], {
        input: await packTar(files),
        nothrow: true,
        timeout: 3 * timeoutSeconds * 1000,
      })
      // The command itself fills screens: the chart is told of every kind that the cluster knows.
      .catch((error: unknown) => {
        if (!(error instanceof CommandError)) throw error;
        return { stdout: '', stderr: 'it took too long', exitCode: 1 };
      });
    if (exitCode === 0) return stdout;
    const said = reasonIn(stderr.replace(/^command terminated with exit code \d+$/m, ''));
    if (exitCode === chartErrorCode) throw await explainHelmError(context, application, said);
    throw new UserError(`Argo CD's repo-server could not render ${application.metadata.name}: ${said}`, {
      hint: 'npm run status shows whether Argo CD is well.',
    });
  };
  return async (application, facts) => {
    const sources = sourcesApart(context.config, normalised(application) as Application);
    const rendered = await Promise.all(sources.map((one) => inTurn(() => render(one, facts))));
    return rendered.join('\n---\n');
  };
}

/**
 * One Application for each source: Argo CD renders each by itself, and joins what comes out.
 * @throws UserError where one of several is not in this repository, or all are made of a dry source: the rest alone would be a lie.
 */
function sourcesApart(config: Config, application: Application): Application[] {
  const { sources = [], ...spec } = application.spec;
  if (sources.length === 0) return [application];
  const apart = sources.map((source) => ({ ...application, spec: { ...spec, source } }));
  const foreign = apart.find((one) => !followsRepository(config, one));
  if (foreign === undefined) return apart;
  const { name } = application.metadata;
  throw new UserError(
    `The Application ${name} has a source in ${foreign.spec.source.repoURL}, which npm run diff can't render.`,
    {
      hint: 'Commit it: npm run sync shows what it changes.',
    },
  );
}

async function readyRepoServer(context: Context): Promise<string> {
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

/** What prints the manifests of a folder, each as a document: Argo CD joins them as well. */
const printManifests = String.raw`find . "$@" -type f \( -name '*.yaml' -o -name '*.yml' -o -name '*.json' \) -exec sh -c 'printf "\n---\n"; cat "$1"' sh {} \;`;
const kustomizationNames = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];

/**
 * How Argo CD renders what an Application deploys of this repository: a chart, a Kustomize folder or a folder of manifests.
 * @throws UserError for what an Application can say besides, and what is not followed here.
 */
function renderingOf(top: string, application: Application, facts: ClusterFacts) {
  assertSupported(application);
  const { path = '.', helm, directory } = application.spec.source as Source;
  const has = (file: string) => existsSync(join(top, path, file));
  if (helm !== undefined || (directory === undefined && has('Chart.yaml'))) {
    const command = ['helm', 'template', '.', ...helmArguments(top, application, facts)];
    return { path, command, valueFiles: valueFilesOf(top, application) };
  }
  if (directory === undefined && kustomizationNames.some(has))
    return { path, command: ['kustomize', 'build', '.'], valueFiles: [] };
  const depth = (directory as { recurse?: boolean } | undefined)?.recurse ? [] : ['-maxdepth', '1'];
  return { path, command: ['sh', '-c', printManifests, 'sh', ...depth], valueFiles: [] };
}

const renderErrorHint = { id: 'render-error', hint: 'npm run validate' };

/** The error for a chart that helm refuses: each place in the values or the templates, as npm run validate finds it. */
async function explainHelmError(context: Context, application: Application, said: string): Promise<UserError> {
  // Loaded when it is needed: a diff of charts that are sound does without.
  const { locateHelmError } = await import('../../repository/rendering/helm-error.ts');
  const { root } = context.config;
  const { prefix } = await context.checkout();
  const source = application.spec.source as Source;
  const { path = '.', helm } = source;
  if (helm === undefined)
    return new UserError(`${application.metadata.name} can't be rendered: ${said}`, renderErrorHint);
  const folder = posix.relative(prefix, path);
  const chart = { name: posix.basename(path), folder };
  const files = { root, text: (file: string) => readFile(join(root, file), 'utf8') };
  // Argo CD names a values file by its path, and so does what reads the sentence.
  const named = said.replace(/(?<=failed to parse )[\w./-]+/, (file) => posix.join(folder, file));
  const values = topValues(source);
  const findings = await locateHelmError(files, { chart, values }, named);
  const lines = findings.map(({ file, line, message }) => {
    const place = line === undefined ? file : `${file}:${line}`;
    return `${place}: ${message.replace(/^helm does not render \S+: /, '')}`;
  });
  return new UserError(`${application.metadata.name} can't be rendered: ${lines.join('\n')}`, {
    id: 'render-error',
    hint: findings[0]?.remedy ?? 'npm run validate',
  });
}
