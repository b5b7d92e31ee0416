import { applications as applicationsComponent } from '../../components/applications.ts';
import type { Context } from '../../images/context.ts';
import { ExitCode, UsageError } from '../../lib/errors.ts';
import { uncommittedFiles } from '../../lib/git/checkout.ts';
import type { Application } from '../../repository/applications.ts';
import { type ApplicationDiff, diffApplications } from './applications.ts';
import { readFacts } from './facts.ts';
import { createRenderer } from './render.ts';
import { diffUp, type UpDiff } from './up.ts';

/** All that `npm run diff` tells, and what `--json` prints. */
export interface DiffReport {
  /** Whether anything would change. */
  differs: boolean;
  /** False where a chart could not be rendered, or an object would be refused: then more may differ. */
  complete: boolean;
  cluster: string;
  /** The commit that the working tree stands on. */
  commit: string;
  /** What a commit would have Argo CD change. */
  applications: ApplicationDiff[];
  /** What the next `npm run up` would change, by component. */
  up: UpDiff[];
  notes: string[];
}

/** Under this name Argo CD's controller applies (common.ArgoCDSSAManager). */
const argoCdManager = 'argocd-controller';

/** Compares the working tree with the cluster, or one Application of it alone, and changes nothing. */
export async function gatherDiff(context: Context, application?: string): Promise<DiffReport> {
  const registered = (await applicationsComponent.objects?.(context)) ?? [];
  const all = registered.filter(({ kind }) => kind === 'Application') as Application[];
  const chosen = all.filter(({ metadata }) => application === undefined || metadata.name === application);
  if (chosen.length === 0) throw unknown(application, all);
  const [facts, render, checkout, notes] = await Promise.all([
    readFacts(context.api()),
    createRenderer(context),
    context.checkout(),
    editsElsewhere(context),
  ]);
  const scene = { context, facts, render, manager: argoCdManager };
  const [applications, up] = await Promise.all([
    diffApplications(scene, chosen, registered),
    diffUp(context, facts, application),
  ]);
  const parts = [...applications, ...up];
  return {
    differs: parts.some(({ changes }) => changes.length > 0),
    complete: parts.every(({ error, refused }) => error === undefined && refused.length === 0),
    cluster: context.config.clusterName,
    commit: checkout.head,
    applications,
    up: up.filter(({ error, changes, refused }) => error !== undefined || changes.length + refused.length > 0),
    notes,
  };
}

/** Like diff(1): 0 nothing would change, 1 something would, 2 not everything could be compared. */
export function exitCodeOf({ differs, complete }: DiffReport): ExitCode {
  if (!complete) return ExitCode.usage;
  return differs ? ExitCode.failed : ExitCode.done;
}

function unknown(application: string | undefined, all: readonly Application[]): UsageError {
  const names = all.map(({ metadata }) => metadata.name);
  return new UsageError(
    `argocd/ has no Application ${application ?? ''}.`.replace(' .', '.'),
    `It has: ${names.join(', ')}.`,
  );
}

/** Edits that count for a cluster, too, and that no comparison of objects can show. */
async function editsElsewhere({ config, exec }: Context): Promise<string[]> {
  const [kind, standIns] = await Promise.all(
    ['cluster/kind.yaml', 'standins'].map((path) => uncommittedFiles(exec, config.root, [path])),
  );
  return [
    ...(kind?.length ? ['cluster/kind.yaml is edited: it counts for a new cluster (npm run down && npm run up).'] : []),
    ...(standIns?.length ? ['standins/ is edited: npm run up builds their images anew, where it uses them.'] : []),
  ];
}
