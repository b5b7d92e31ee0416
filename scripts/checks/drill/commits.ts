import { posix } from 'node:path';
import { applications, registrations } from '../../components/applications.ts';
import { isRefreshPending, requestRefresh } from '../../components/refresh.ts';
import { drillAnnotation } from '../../delivery/drift/drift.ts';
import type { Context } from '../../images/context.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { UserError } from '../../lib/errors.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { commitUnreferenced, filesAt } from '../../lib/git/commits.ts';
import {
  type Application,
  applicationApi,
  applicationsNow,
  type Source,
  topValues,
} from '../../repository/applications.ts';
import { waitForState } from './service-state.ts';

/** Why what takes commits can't be shown, or undefined. */
export async function commitsHindrance({ config }: Context): Promise<string | undefined> {
  return config.gitops && 'it takes commits, and nothing is pushed to GITOPS_REPO_URL for a drill';
}

/** A commit that Argo CD was told to deploy, and when (`performance.now()`). */
interface Release {
  commit: string;
  since: number;
}

/** Whose commit it is: the drill's name, and the service that it is about. */
interface Subject {
  drill: string;
  service: string;
}

interface Change extends Subject {
  message: string;
  /** The file of the service's chart; by default the values file that wins in this environment. */
  file?: string;
  /** Makes its new text; it is given an empty one where there is no such file. */
  edit(text: string, file: string): string;
}

/** Deploys a commit on top of the one that is checked out, in which one file differs. No ref knows of it. */
export async function release(context: Context, { drill, service, message, file, edit }: Change): Promise<Release> {
  const { top, head } = await context.checkout();
  const { source } = (await registrationOf(context, service)).spec;
  const name = file ?? topValues(source as Source);
  const path = posix.join(source?.path ?? '.', name);
  const text = (await filesAt(context.exec, top, head, [path])).get(path) ?? '';
  const files = new Map([[path, edit(text, name)]]);
  const commit = await commitUnreferenced(context.exec, top, { parent: head, message: `drill: ${message}`, files });
  return deploy(context, { drill, service }, commit);
}

/** Deploys a commit that reverts another one, to the one that is checked out. */
export async function revert(context: Context, subject: Subject, parent: string): Promise<Release> {
  const { top, head } = await context.checkout();
  const message = `drill: Revert ${shortSha(parent)}`;
  return deploy(context, subject, await commitUnreferenced(context.exec, top, { parent, like: head, message }));
}

/**
 * Has Argo CD deploy a commit for a service, as a push would, and marks the Application with the drill's name. Registered
 * again as it should be, it loses both: `up` does that, too.
 */
export async function deploy(context: Context, { drill, service }: Subject, commit: string): Promise<Release> {
  const { metadata, spec, ...head } = await registrationOf(context, service);
  const kubectl = await context.kubectl();
  const since = performance.now();
  await kubectl.apply([
    {
      ...head,
      metadata: { ...metadata, annotations: { ...metadata.annotations, [drillAnnotation]: drill } },
      spec: { ...spec, source: { ...(spec.source as Source), targetRevision: commit } },
    },
  ]);
  return { commit, since };
}

/** An Application as this cluster registers it. */
async function registrationOf(context: Context, service: string): Promise<Application> {
  const all = await registrations(context);
  const found = all.find(({ kind, metadata }) => kind === 'Application' && metadata.name === service);
  if (!found) throw new UserError(`argocd/ registers no Application ${service}.`, { hint: 'git checkout -- argocd' });
  return found as Application;
}

/** The Applications that a drill has made follow a commit of its own. */
export async function drilledApplications(context: Context): Promise<KubeObject[]> {
  const all = await context.api().listMetadata(applicationApi, 'Application');
  return all.filter(({ metadata }) => metadata.annotations?.[drillAnnotation] !== undefined);
}

/**
 * Registers all as it should be, and waits until every Application is at the commit that is checked out, and healthy. Argo CD may
 * be in the middle of deploying what a drill has just released, and say of itself what was true before: so where
 * something had to be registered again, only a look counts for which it was asked once nothing was under way any more.
 */
export async function restoreFromGit(context: Context): Promise<void> {
  const drilled = new Set((await drilledApplications(context)).map(({ metadata }) => metadata.name));
  if (drilled.size > 0) {
    const kubectl = await context.kubectl();
    await kubectl.apply(await Promise.all([...drilled].map((name) => registrationOf(context, name))));
  }
  let isRefreshed = drilled.size === 0;
  await waitForState(context, async () => {
    const all = await applicationsNow(context);
    const busy = all.find(
      ({ operation, status }) => operation !== undefined || status?.operationState?.phase === 'Running',
    );
    if (busy) {
      isRefreshed = drilled.size === 0;
      return `Application ${busy.metadata.name} is being synced`;
    }
    if (!isRefreshed) {
      const stale = all.filter(({ metadata }) => drilled.has(metadata.name));
      await requestRefresh(context, stale);
      isRefreshed = true;
      return 'Argo CD was asked to refresh';
    }
    const waiting = all.find(isRefreshPending);
    if (waiting) return `Argo CD has not refreshed the Application ${waiting.metadata.name}`;
    const status = await applications.status(context);
    return status.state === 'ready' ? undefined : status.missing;
  });
}
