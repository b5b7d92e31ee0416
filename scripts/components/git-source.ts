import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { borrowedMount, gitMount, missingRefs } from '../cluster/git-refs.ts';
import type { Config } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { withTemplates } from '../kubernetes/workloads.ts';
import type { Exec } from '../lib/exec.ts';
import { base64 } from '../lib/secret.ts';
import { type Application, applicationSources, argocdNamespace } from '../repository/applications.ts';
import { readManifests, restartOnConfigChange } from '../repository/manifests.ts';
import { install } from './installation.ts';

export const gitServerFile = 'cluster/git-server.yaml';

/** Where Argo CD reads this checkout's commits. */
export const localRepoUrl = 'git://git-server.git-server.svc.cluster.local/platform-ops.git';

/**
 * Has Argo CD fetch from a shallow clone the one commit that it needs. A plain fetch accepts nothing whose history ends where
 * that of such a clone does (https://git-scm.com/docs/git-fetch, --update-shallow).
 */
export const localRepository: KubeObject = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name: 'git-source',
    namespace: argocdNamespace,
    labels: { 'argocd.argoproj.io/secret-type': 'repository' },
  },
  data: { type: base64('git'), url: base64(localRepoUrl), depth: base64('1') },
};

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

interface ServerPod {
  securityContext: object;
  containers: { securityContext: { capabilities: object }; env: { name: string; value: string }[] }[];
}

async function gitServer(context: Context): Promise<KubeObject[]> {
  const objects = restartOnConfigChange(await readManifests(context.config.root, [gitServerFile]));
  const { commonDir, borrows } = await context.checkout();
  const user = await gitServerUser(context.exec, [join(commonDir, 'objects'), ...borrows, join(commonDir, 'refs')]);
  const value = borrows.map((store) => borrowedMount(store).replace(gitMount, servedFolder)).join(':');
  return withTemplates(objects, ({ spec }: { spec: ServerPod }) => {
    Object.assign(spec.securityContext, user);
    for (const { securityContext, env } of spec.containers) {
      if (user.runAsUser === 0) securityContext.capabilities = readEverything;
      if (value !== '') env.push({ name: 'GIT_ALTERNATE_OBJECT_DIRECTORIES', value });
    }
  });
}

/** Where `cluster/git-server.yaml` has the pod see what the node sees of the Git folder. */
const servedFolder = '/srv/git/platform-ops.git';
/** The user of Argo CD's image. */
const imageUser = 999;
/**
 * Whatever their mode, files can be read with this one. All that the pod sees is mounted read-only. CAP_DAC_READ_SEARCH would
 * be more, not less: it opens any file of a mounted file system by its handle, Git's config and the rest of the disk included
 * (https://man7.org/linux/man-pages/man2/open_by_handle_at.2.html).
 */
const readEverything = { drop: ['ALL'], add: ['DAC_OVERRIDE'] };

/**
 * Whom the pod runs as: the owner of the objects, or the image's own user where that is root; root where there is something
 * that this user may not read.
 * @param folders that it reads, the clone's objects first.
 */
export async function gitServerUser(exec: Exec, folders: readonly [string, ...string[]]) {
  const { uid, gid } = await stat(folders[0]);
  const [user, group] = uid === 0 ? [imageUser, imageUser] : [uid, gid];
  const may = (bits: number) =>
    `( -perm -00${bits} -o -gid ${group} -perm -0${bits}0 -o -uid ${user} -perm -${bits}00 )`.split(' ');
  const closed = ['-type', 'd', '!', ...may(5), '-o', '-type', 'f', '!', ...may(4)];
  // What Git deletes meanwhile is an error, and no reason.
  const { stdout } = await exec(['find', ...folders, '(', ...closed, ')', '-print', '-quit'], { nothrow: true });
  return stdout === ''
    ? { runAsNonRoot: true, runAsUser: user, runAsGroup: group }
    : { runAsNonRoot: false, runAsUser: 0, runAsGroup: 0 };
}
