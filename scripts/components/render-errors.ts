import type { Context } from '../images/context.ts';
import type { Blocker } from '../kubernetes/waiting/ready.ts';
import { UserError } from '../lib/errors.ts';
import { shortSha } from '../lib/git/checkout.ts';
import { filesAt } from '../lib/git/commits.ts';
import { type Application, type Source, topValues } from '../repository/applications.ts';
import type { Finding } from '../repository/rendering/finding.ts';
import { locateHelmError } from '../repository/rendering/helm-error.ts';
import { followsRepository } from './git-source.ts';
import { isRefreshPending } from './refresh.ts';

/** Milliseconds for which what may pass by itself is waited out: one of Argo CD's programs may be starting. */
const transientTimeoutMs = 30_000;

/** The words of those who looked at the commit itself: helm, the repo-server, and the API server in a dry run. */
const permanentError =
  /failed to execute helm template command|Manifest generation error|app path |out-of-bounds symlinks|resolved to outside repository root|failed to unmarshal|to a commit SHA|in dryrun mode/;
/** What may pass all the same: a program that is starting or is too busy, or a webhook that nobody answers yet. */
const transientError =
  /connection refused|connection reset|deadline exceeded|timed? ?out|timeout after|signal: killed|failed calling webhook|no such host|code = Unavailable/i;
/** Argo CD looks for the branch or tag that HEAD is at. A commit that was checked out by its SHA may be at none. */
const noRefError = /failed to list refs: .*reference not found/;
/** What Argo CD writes in place of the folder that it renders in. */
const cachedSource = '<path to cached source>';

/** Why Argo CD can't tell what an Application should be, in its own words, or undefined. */
export function renderError({ status }: Application): string | undefined {
  return status?.conditions?.find(({ type }) => type === 'ComparisonError' || type === 'InvalidSpecError')?.message;
}

/** Whether it is the commit's own fault, which no waiting mends. */
export function isPermanent(error: string): boolean {
  return (permanentError.test(error) || noRefError.test(error)) && !transientError.test(error);
}

/** The Applications that can't be rendered. Where the mistake is, is looked up in `commit`, if that is known. */
export function renderFaults(context: Context, applications: readonly Application[], commit?: string): Blocker[] {
  return applications.flatMap((application) => {
    const error = renderError(application);
    if (error === undefined || isRefreshPending(application)) return [];
    return [
      {
        key: `${application.metadata.name} is not rendered`,
        patience: isPermanent(error) ? 0 : transientTimeoutMs,
        explain: () => explainRenderError(context, application, error, commit),
      },
    ];
  });
}

async function explainRenderError(
  context: Context,
  application: Application,
  error: string,
  commit: string | undefined,
): Promise<UserError> {
  const at = commit === undefined ? '' : ` at ${shortSha(commit)}`;
  const title = `Argo CD can't render ${application.metadata.name}${at}`;
  if (noRefError.test(error) && !context.config.gitops)
    return new UserError(`${title}: no branch and no tag is at the commit that is checked out.`, {
      id: 'render-error',
      hint: 'git switch --create NAME gives it a branch; npm run up continues from there.',
    });
  const findings = await findingsOf(context, application, error, commit);
  const lines = findings.map(({ file, line, message }) => {
    const place = [file, line].filter((part) => part !== undefined && part !== '').join(':');
    return `\n  ${place === '' ? '' : `${place}: `}${message}`;
  });
  const remedies = new Set(findings.map(({ remedy }) => remedy));
  return new UserError(`${title}; what runs stays as it is.${lines.join('')}`, {
    id: 'render-error',
    hint: `${[...remedies].join(' ')} Commit that, or git revert; either deploys at once.`.trimStart(),
  });
}

/** What is wrong with the commit, with the file and the line where they can be told. */
async function findingsOf(
  context: Context,
  application: Application,
  error: string,
  commit: string | undefined,
): Promise<Pick<Finding, 'file' | 'line' | 'message' | 'remedy'>[]> {
  const { source } = application.spec;
  const { path, helm } = source ?? {};
  if (path === undefined || !followsRepository(context.config, application))
    return [{ file: '', message: reasonIn(error), remedy: '' }];
  const { top, prefix } = await context.checkout();
  const folder = path.slice(prefix.length);
  const refused = refusedObject(error);
  if (refused) return [{ file: folder, message: refused, remedy: 'Correct the value or the template.' }];
  const reason = reasonIn(error);
  if (!isPermanent(error) || commit === undefined) return [{ file: '', message: reason, remedy: '' }];
  if (helm === undefined) return [{ file: folder, message: reason, remedy: 'Correct the manifest.' }];
  const text = async (file: string) => {
    const at = `${prefix}${file}`;
    const found = (await filesAt(context.exec, top, commit, [at])).get(at);
    if (found === undefined) throw new Error(`${file} is not in ${commit}`);
    return found;
  };
  const chart = { name: folder.split('/').at(-1) ?? folder, folder };
  const values = topValues(source as Source);
  return locateHelmError({ root: cachedSource, text }, { chart, values }, reason);
}

/** What the API server says of an object in the dry run that Argo CD compares by. */
function refusedObject(error: string): string | undefined {
  const [, kind, name, reason] = /in dryrun mode for resource (\w+)\/([\w.-]+): ([\s\S]*)/.exec(error) ?? [];
  return reason === undefined
    ? undefined
    : `Kubernetes refuses ${kind} ${name}: ${reason.replaceAll(/\s+/g, ' ').trim()}`;
}

/** Helm's own words out of those around it, which tell of gRPC, of the whole command and of links that it read through. */
function reasonIn(error: string): string {
  return error
    .replace(/^[\s\S]*failed exit status \d+: ([\s\S]*?(?=Error: ))?/, '')
    .replace(/^Failed to load target state: (failed to generate manifest for source \d+ of \d+: )?/, '')
    .replace(/^rpc error: code = \w+ desc = /, '')
    .replace(/^Manifest generation error( \(cached\))?: /, '')
    .trim();
}
