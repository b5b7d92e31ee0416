import { applications, registrations } from '../../components/applications.ts';
import { isRefreshPending, requestRefresh } from '../../components/refresh.ts';
import { drillAnnotation } from '../../delivery/drift/drift.ts';
import type { Context } from '../../images/context.ts';
import { UserError } from '../../lib/errors.ts';
import { filesAt, shortSha } from '../../lib/git/checkout.ts';
import { commitUnreferenced } from '../../lib/git/commits.ts';
import { type Application, applicationApi } from '../../repository/applications.ts';
import { waitForState } from './service-state.ts';

const api = [applicationApi, 'Application'] as const;

/** An Application as this cluster registers it. */
export async function registrationOf(context: Context, service: string): Promise<Application> {
  const all = await registrations(context);
  const found = all.find(({ kind, metadata }) => kind === 'Application' && metadata.name === service);
  if (!found) throw new UserError(`argocd/ registers no Application ${service}.`, { hint: 'git checkout -- argocd' });
  return found as Application;
}

/** Why what takes commits can't be shown, or undefined. */
export async function commitsHindrance({ config }: Context): Promise<string | undefined> {
  if (config.gitops === undefined) return undefined;
  return 'it takes commits, and nothing is pushed to GITOPS_REPO_URL for a drill';
}

/** A commit on top of the one that is checked out, with other texts for files of a service's chart. No ref knows of it. */
export async function commitFiles(
  context: Context,
  service: string,
  message: string,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const { top, head } = await context.checkout();
  const folder = await chartOf(context, service);
  const texts = new Map(Object.entries(files).map(([file, text]) => [`${folder}/${file}`, text]));
  return commitUnreferenced(context.exec, top, { parent: head, message: `drill: ${message}`, files: texts });
}

/** A commit that takes all back that another one did to the commit that is checked out. */
export async function commitRevert(context: Context, commit: string): Promise<string> {
  const { top, head } = await context.checkout();
  return commitUnreferenced(context.exec, top, {
    parent: commit,
    like: head,
    message: `drill: Revert ${shortSha(commit)}`,
  });
}

/** The text of a file of a service's chart at the commit that is checked out; empty where it has none. */
export async function chartFile(context: Context, service: string, file: string): Promise<string> {
  const { top, head } = await context.checkout();
  const path = `${await chartOf(context, service)}/${file}`;
  return (await filesAt(context.exec, top, head, [path])).get(path) ?? '';
}

async function chartOf(context: Context, service: string): Promise<string> {
  return (await registrationOf(context, service)).spec.source.path;
}

/**
 * Has Argo CD deploy a commit for a service, as a push would, and marks the Application with the drill's name. Registered
 * anew as it should be, it loses both: `up` does that, too.
 */
export async function deployCommit(context: Context, drill: string, service: string, commit: string): Promise<void> {
  const { metadata, spec, ...head } = await registrationOf(context, service);
  const kubectl = await context.kubectl();
  await kubectl.apply([
    {
      ...head,
      metadata: { ...metadata, annotations: { ...metadata.annotations, [drillAnnotation]: drill } },
      spec: { ...spec, source: { ...spec.source, targetRevision: commit } },
    },
  ]);
}

/** What a service's Application says of itself now. Throws a `UserError` where there is none. */
export async function liveApplication(context: Context, service: string): Promise<Application> {
  const all = await context.api().list<Application>(...api);
  const found = all.find(({ metadata }) => metadata.name === service);
  if (!found) throw new UserError(`Application ${service} is missing`, { hint: 'npm run up' });
  return found;
}

/** Registers what drills have pointed elsewhere as it should be. Returns the names. */
export async function restoreRegistrations(context: Context): Promise<string[]> {
  const marked = (await context.api().listMetadata(...api)).filter(
    ({ metadata }) => metadata.annotations?.[drillAnnotation] !== undefined,
  );
  const names = marked.map(({ metadata }) => metadata.name);
  if (names.length > 0) {
    const kubectl = await context.kubectl();
    await kubectl.apply(await Promise.all(names.map((name) => registrationOf(context, name))));
  }
  return names;
}

/**
 * Registers all as it should be, and waits until every Application is at the commit that is checked out, and healthy. Argo CD may
 * be in the middle of deploying what a drill has just released, and say of itself what was true before: so where
 * something had to be registered again, only a look counts for which it was asked once nothing was under way any more.
 */
export async function restoreFromGit(context: Context): Promise<void> {
  const anew = await restoreRegistrations(context);
  let asked = false;
  await waitForState(context, async () => {
    const all = await context.api().list<Application>(...api);
    const busy = all.find(
      ({ operation, status }) => operation !== undefined || status?.operationState?.phase === 'Running',
    );
    if (busy) {
      asked = false;
      return `Application ${busy.metadata.name} is being synced`;
    }
    if (!asked && anew.length > 0) {
      await requestRefresh(
        context,
        all.filter(({ metadata }) => anew.includes(metadata.name)),
      );
      asked = true;
      return 'Argo CD has been asked to look';
    }
    const waiting = all.find(isRefreshPending);
    if (waiting) return `Argo CD has not looked at the Application ${waiting.metadata.name}`;
    const status = await applications.status(context);
    return status.state === 'ready' ? undefined : status.missing;
  });
}
