import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, UserError } from '../../lib/errors.ts';
import { type Bringing, bringing, bringingFiles } from './config-maps.ts';
import { fileText, type JsonMap } from './normal-form.ts';

const grafana = 'observability/grafana';

/** A dashboard's file, relative to the repository's top. */
export function fileOf(uid: string): string {
  return `${grafana}/dashboards/${uid}.json`;
}

/** Throws a `UserError` for a uid that is no name of a file. Grafana makes its own of these letters. */
export function checkUid(uid: string): void {
  if (/^[A-Za-z0-9_-]{1,40}$/.test(uid)) return;
  throw new UserError(`The uid ${JSON.stringify(uid)} can't be the name of a file.`, {
    hint: 'Give the dashboard a uid of letters, digits, - and _: Settings, JSON model.',
  });
}

/** Every dashboard's file by its uid, as it stands there and in its normal form. Throws a `UserError` for one that is no JSON. */
export async function readDashboards(root: string): Promise<Map<string, { text: string; normal: string }>> {
  const names = (await readdir(join(root, grafana, 'dashboards'))).filter((name) => name.endsWith('.json')).sort();
  const read = names.map(async (name) => {
    const uid = name.slice(0, -'.json'.length);
    const text = await readFile(join(root, fileOf(uid)), 'utf8');
    return [uid, { text, normal: normalText(text, fileOf(uid)) }] as const;
  });
  return new Map(await Promise.all(read));
}

/** The normal form of a dashboard's text. `where` is for the `UserError` about one that is no JSON. */
export function normalText(text: string, where: string): string {
  let dashboard: JsonMap;
  try {
    dashboard = JSON.parse(text) as JsonMap;
  } catch (cause) {
    throw new UserError(`${where} is no JSON: ${messageOf(cause)}`, { hint: 'npm run validate -- dashboards', cause });
  }
  return fileText(dashboard);
}

/** Writes a dashboard's file, and has a ConfigMap take it if it is a new one. */
export async function writeDashboard(root: string, uid: string, text: string): Promise<void> {
  await writeFile(join(root, fileOf(uid)), text);
  const before = await readBringing(root);
  const after = bringing(before, uid, await dashboardSizes(root));
  if (after.kustomization !== before.kustomization)
    await writeFile(join(root, bringingFiles.kustomization), after.kustomization);
  if (after.deployment !== before.deployment) await writeFile(join(root, bringingFiles.deployment), after.deployment);
}

/** The texts of the files that bring the dashboards to Grafana. */
export async function readBringing(root: string): Promise<Bringing> {
  const [kustomization, deployment] = await Promise.all(
    [bringingFiles.kustomization, bringingFiles.deployment].map((file) => readFile(join(root, file), 'utf8')),
  );
  return { kustomization: kustomization ?? '', deployment: deployment ?? '' };
}

/** The bytes of each dashboard's file, by its uid. */
export async function dashboardSizes(root: string): Promise<Map<string, number>> {
  const names = (await readdir(join(root, grafana, 'dashboards'))).filter((name) => name.endsWith('.json'));
  const sizes = names.map(async (name) => {
    const uid = name.slice(0, -'.json'.length);
    return [uid, (await stat(join(root, fileOf(uid)))).size] as const;
  });
  return new Map(await Promise.all(sizes));
}
