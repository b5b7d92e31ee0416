import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { missingRefs } from '../cluster/git-refs.ts';
import type { Config } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { withTemplates } from '../kubernetes/workloads.ts';
import type { Exec } from '../lib/exec.ts';
import { type Application, applicationSources } from '../repository/applications.ts';
import { readManifests, restartOnConfigChange } from '../repository/manifests.ts';
import { install } from './installation.ts';

export const gitServerFile = 'cluster/git-server.yaml';

/** Where Argo CD reads this checkout's commits. */
export const localRepoUrl = 'git://git-server.git-server.svc.cluster.local/platform-ops.git';

/**
 * The commit that an Application has to be at: this one where it has a source in this repository, none where all of them are
 * elsewhere.
 */
export function followedCommit(config: Pick<Config, 'gitops'>, application: Application, commit: string) {
  return followsRepository(config, application) ? commit : undefined;
}

/** Whether an Application, as it is registered, has a source in this repository. */
export function followsRepository({ gitops }: Pick<Config, 'gitops'>, application: Application): boolean {
  return applicationSources(application).some(({ repoURL }) => repoURL === (gitops?.repoUrl ?? localRepoUrl));
}

/** Serves the checkout's Git folder to Argo CD, so that a plain `git commit` deploys. */
export const gitSource = install({
  name: 'git-source',
  needs: ['cluster'],
  objects: gitServer,
  missing: missingRefs,
});

type SecurityContext = { runAsNonRoot: boolean; runAsUser: number; runAsGroup: number };

async function gitServer(context: Context): Promise<KubeObject[]> {
  const objects = restartOnConfigChange(await readManifests(context.config.root, [gitServerFile]));
  const owner = await gitServerUser(context.exec, (await context.checkout()).commonDir);
  return withTemplates(objects, ({ spec }: { spec: { securityContext: SecurityContext } }) => {
    Object.assign(spec.securityContext, owner);
  });
}

/**
 * Only the owner of the objects can surely read them, so the pod runs as that user. Objects of root's that everybody can read
 * need no root: the image's own user stays.
 */
export async function gitServerUser(exec: Exec, gitFolder: string): Promise<Partial<SecurityContext>> {
  const served = ['objects', 'refs'].map((name) => join(gitFolder, name));
  const { uid, gid } = await stat(join(gitFolder, 'objects'));
  if (uid !== 0) return { runAsUser: uid, runAsGroup: gid };
  const closed = ['(', '-type', 'd', '!', '-perm', '-005', '-o', '-type', 'f', '!', '-perm', '-004', ')'];
  const found = await exec(['find', ...served, ...closed, '-print', '-quit'], { nothrow: true });
  const everybodyReads = found.exitCode === 0 && found.stdout === '';
  return everybodyReads ? {} : { runAsNonRoot: false, runAsUser: 0, runAsGroup: gid };
}
