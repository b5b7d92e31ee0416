import { stat } from 'node:fs/promises';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { withTemplates } from '../kubernetes/workloads.ts';
import { readManifests, restartOnConfigChange } from '../repository/manifests.ts';
import { install } from './installation.ts';

/** Where Argo CD reads this checkout's commits. */
export const localRepoUrl = 'git://git-server.git-server.svc.cluster.local/platform-ops.git';

/** Serves the checkout's Git folder to Argo CD, so that a plain `git commit` deploys. */
export const gitSource = install({
  name: 'git-source',
  needs: ['cluster'],
  objects: gitServer,
});

type SecurityContext = { runAsNonRoot: boolean; runAsUser: number; runAsGroup: number };

async function gitServer(context: Context): Promise<KubeObject[]> {
  const objects = restartOnConfigChange(await readManifests(context.config.root, ['cluster/git-server.yaml']));
  const owner = await ownerOf((await context.checkout()).commonDir);
  return withTemplates(objects, ({ spec }: { spec: { securityContext: SecurityContext } }) => {
    Object.assign(spec.securityContext, owner);
  });
}

/**
 * Only the folder's owner can surely read it, so the pod runs as that user. A folder of root's that everybody can read
 * needs no root: the image's own user stays.
 */
async function ownerOf(folder: string): Promise<Partial<SecurityContext>> {
  const { uid, gid, mode } = await stat(folder);
  if (uid !== 0) return { runAsUser: uid, runAsGroup: gid };
  const everybodyReads = (mode & 0o005) === 0o005;
  return everybodyReads ? {} : { runAsNonRoot: false, runAsUser: 0, runAsGroup: gid };
}
