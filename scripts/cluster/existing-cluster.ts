import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Config } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { missingApi, waitForApi } from '../kubernetes/waiting/api-server.ts';
import { UsageError, UserError } from '../lib/errors.ts';
import { counted } from '../lib/text.ts';
import type { ApplyResult, Cluster, Status } from './component.ts';
import { copyUserContext, serverIn } from './kubeconfig.ts';
import { isOurs, type PlatformMarker, readMarker } from './territory.ts';

/**
 * A cluster that somebody else made and runs, named by TARGET_CONTEXT. Of it nothing is made, started, stopped or deleted
 * here; whether the platform may be in it, a mark in it says, which `npm run up` leaves there once somebody agreed.
 */
export const existingCluster: Cluster = {
  async presence(context) {
    await ensureKubeconfig(context);
    const mark = await readMarker(context);
    if (mark) assertOurs(context, mark);
    return mark && 'running';
  },

  async reach(context) {
    await copyUserContext(context);
    await waitForApi(context);
  },

  async status(context): Promise<Status> {
    await ensureKubeconfig(context);
    const missing = await missingApi(context);
    if (missing !== undefined) return { state: 'unready', missing };
    const mark = await readMarker(context);
    if (!mark)
      return { state: 'absent', missing: `the platform is not in the cluster of the context ${context.kubeContext}` };
    assertOurs(context, mark);
    return { state: 'ready', detail: detail(context) };
  },

  async apply(context): Promise<ApplyResult> {
    await waitForApi(context);
    const mark = await readMarker(context);
    if (!isOurs(context, mark)) throw new Error('nothing may be applied where nobody agreed to it');
    return { changed: [], detail: detail(context) };
  },
};

/** Reads your login again, as it may have been renewed since. Where your kubeconfig has it no longer, the one of before stays. */
async function ensureKubeconfig(context: Context): Promise<void> {
  try {
    await copyUserContext(context);
  } catch (error) {
    if (!(error instanceof UsageError) || !existsSync(context.kubeconfig)) throw error;
  }
}

function assertOurs(context: Context, mark: PlatformMarker): void {
  if (isOurs(context, mark)) return;
  throw new UsageError(
    `The platform in the cluster of the context ${context.kubeContext} follows ${mark.repository}, the settings say ${context.config.gitops?.repoUrl}.`,
    {
      id: 'target-other-repository',
      hint: 'Set GITOPS_REPO_URL back, or take that platform away first: npm run down, with the GITOPS_REPO_URL that it has.',
    },
  );
}

function detail({ kubeconfig, kubeContext }: Context): string {
  return `${kubeContext}, ${serverIn(readFileSync(kubeconfig, 'utf8'))}`;
}

/**
 * Makes sure that the login may do everything in the cluster: roles of Argo CD and Prometheus can only be given by somebody
 * who has what they give. Throws a `UsageError`.
 */
export async function assertClusterAdmin(context: Context): Promise<void> {
  const kubectl = await context.kubectl();
  const asked = await kubectl.run(['auth', 'can-i', '*', '*', '--all-namespaces'], { nothrow: true, timeout: 30_000 });
  if (asked.exitCode === 0 && /^yes\b/m.test(asked.stdout)) return;
  if (!/^no\b/m.test(asked.stdout))
    throw new UserError(`The API server did not say what the login may do: ${asked.stderr.trim().split('\n').at(-1)}`, {
      hint: 'npm run doctor',
    });
  throw new UsageError(
    `The login of the context ${context.kubeContext} may not do everything in its cluster, which installing the platform takes.`,
    {
      id: 'target-rights',
      hint: 'Have it bound to the ClusterRole cluster-admin, or name a context of somebody who is.',
    },
  );
}

/** Throws a `UsageError` where TARGET_CONTEXT names a cluster that a command is not for: those who run it do that. */
export function assertNoTargetContext({ target }: Config, command: string, why: string): void {
  if (target === undefined) return;
  throw new UsageError(`The command ${command} is not for the cluster of the context ${target}: ${why}.`, {
    id: 'target-not-for',
    hint: 'Without TARGET_CONTEXT in .env or in the environment, commands are for the cluster of kind.',
  });
}

/** The cluster in words by which a person knows it: context, address, version, size. Throws where it does not answer. */
export async function describeTarget(context: Context): Promise<string> {
  const [version, nodes, kubeconfig] = await Promise.all([
    context.api().json<{ gitVersion: string }>('/version'),
    context.api().list<KubeObject>('v1', 'Node'),
    readFile(context.kubeconfig, 'utf8'),
  ]);
  const size = counted(nodes.length, 'node');
  return `the cluster of the context ${context.kubeContext} (${serverIn(kubeconfig)}, Kubernetes ${version.gitVersion}, ${size})`;
}
