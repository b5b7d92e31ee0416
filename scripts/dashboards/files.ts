import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isSeq, parseDocument } from 'yaml';
import { messageOf, UserError } from '../lib/errors.ts';
import { kustomizationFile } from '../lib/kustomization.ts';
import { fileText, type JsonMap } from './normal-form.ts';

const grafana = 'observability/grafana';

/** The ConfigMap that is made of the files. */
export const dashboardsConfigMap = 'grafana-dashboards';

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

/** Writes a dashboard's file, and names it in the kustomization.yaml if it is a new one. */
export async function writeDashboard(root: string, uid: string, text: string): Promise<void> {
  await writeFile(join(root, fileOf(uid)), text);
  const file = join(root, grafana, kustomizationFile);
  const before = await readFile(file, 'utf8');
  const after = withDashboard(before, uid);
  if (after !== before) await writeFile(file, after);
}

/** A kustomization.yaml that takes this dashboard, too; comments stay. Throws where it has no list of dashboards. */
export function withDashboard(kustomization: string, uid: string): string {
  const document = parseDocument(kustomization);
  const generators = (document.toJS() as { configMapGenerator?: { name?: string }[] }).configMapGenerator ?? [];
  const index = generators.findIndex(({ name }) => name === dashboardsConfigMap);
  const files = document.getIn(['configMapGenerator', index, 'files']);
  if (!isSeq(files))
    throw new Error(`${grafana}/${kustomizationFile} has no list of the files of ${dashboardsConfigMap}`);
  const entry = `dashboards/${uid}.json`;
  if ((files.toJSON() as string[]).includes(entry)) return kustomization;
  files.add(entry);
  return document.toString({ lineWidth: 0 });
}
