import { posix } from 'node:path';
import { kindFile } from '../cluster/creation.ts';
import { monitoringParts } from '../config/settings.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { isRecord } from '../lib/text.ts';
import { normalPath } from '../repository/applications.ts';
import { ownRepository, type Place, registrationsFolder, repositoriesIn } from '../repository/registrations.ts';
import { kustomizations } from './argo-cd.ts';
import { gitServerFile } from './git-source.ts';
import { metricsServerFile } from './metrics-server.ts';
import { claimFile } from './prometheus.ts';
import { routesFolder } from './routes.ts';

/** Folders of which every manifest is applied. */
const whole = ['prometheus', 'grafana', ...monitoringParts].map((name) => `observability/${name}`);

/**
 * Tells whether something applies a manifest of this repository: a component, whatever the settings ask for, or Argo CD, because
 * an Application has its folder for a source.
 * @param registered the objects of argocd/.
 */
export async function appliedManifests(
  place: Place,
  registered: readonly KubeObject[],
): Promise<(file: string) => boolean> {
  const isOurs = await ownRepository(place, repositoriesIn(registered));
  const deployed = registered.flatMap((object) => foldersIn(object.spec, isOurs));
  const single = new Set([kindFile, metricsServerFile, gitServerFile, claimFile]);
  const isBelow = (file: string, folder: string) => folder === '.' || file.startsWith(`${folder}/`);
  return (file) =>
    single.has(file) ||
    [registrationsFolder, routesFolder, ...whole].includes(posix.dirname(file)) ||
    [kustomizations, ...deployed].some((folder) => isBelow(file, folder));
}

/** The folders of this repository that sources and generators name, up to the first part of a path that is a pattern. */
function foldersIn(value: unknown, isOurs: (url: string) => boolean): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => foldersIn(one, isOurs));
  if (!isRecord(value)) return [];
  if (typeof value.repoURL === 'string' && !isOurs(value.repoURL)) return [];
  const [plain = ''] = typeof value.path === 'string' ? value.path.split(/\/?[^/]*(?:\*|\{\{)/) : [];
  const below = Object.values(value).flatMap((one) => foldersIn(one, isOurs));
  return plain === '' ? below : [normalPath(plain), ...below];
}
