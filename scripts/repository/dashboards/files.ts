import { join } from 'node:path';
import { messageOf, UserError } from '../../lib/errors.ts';
import { writeWhole } from '../../lib/files.ts';
import { isRecord } from '../../lib/text.ts';
import { dashboardConfigMap, dashboardUids, editsAfter } from '../generated/monitoring.ts';
import { readText } from '../text.ts';
import { mapIn, mapsIn, readYaml } from '../yaml.ts';
import { fileText, type JsonMap } from './normal-form.ts';

const grafana = 'observability/grafana';

/** A dashboard's file, relative to the repository's top. */
export function dashboardPath(uid: string): string {
  return `${grafana}/dashboards/${uid}.json`;
}

/** Throws a `UserError` for a uid that is no name of a file. Grafana makes its own of these letters. */
export function assertUid(uid: string): void {
  if (/^[A-Za-z0-9_-]{1,40}$/.test(uid)) return;
  throw new UserError(`The uid ${JSON.stringify(uid)} can't be the name of a file.`, {
    hint: 'Give the dashboard a uid of letters, digits, - and _: Settings, JSON model.',
  });
}

/** Every dashboard's file by its uid, as it stands there and in its normal form. Throws a `UserError` for one that is no JSON. */
export async function readDashboards(root: string): Promise<Map<string, { text: string; normal: string }>> {
  const read = (await dashboardUids(root)).map(async (uid) => {
    const text = await readText(root, dashboardPath(uid));
    return [uid, { text, normal: normalText(text, dashboardPath(uid)) }] as const;
  });
  return new Map(await Promise.all(read));
}

/** The normal form of a dashboard's text. `where` is for the `UserError` about one that is no JSON. */
export function normalText(text: string, where: string): string {
  let dashboard: JsonMap;
  try {
    dashboard = JSON.parse(text) as JsonMap;
    if (!isRecord(dashboard)) throw new Error('it has to be a map');
  } catch (cause) {
    throw new UserError(`${where} is no JSON: ${messageOf(cause)}`, { hint: 'npm run validate -- dashboards', cause });
  }
  return fileText(dashboard);
}

/** Writes a dashboard's file, with the ConfigMap that carries it and, for a new one, Grafana's Deployment, which mounts that. */
export async function writeDashboard(root: string, uid: string, text: string): Promise<void> {
  const edits = await editsAfter(root, new Map([[dashboardPath(uid), text]]));
  writeWhole(join(root, dashboardPath(uid)), text);
  for (const { file, after } of edits) writeWhole(join(root, file), after);
}

/** The names of the ConfigMaps that hold dashboards. */
export async function dashboardConfigMaps(root: string): Promise<string[]> {
  return [...new Set((await dashboardUids(root)).map(dashboardConfigMap))];
}

/** What may have no data on a healthy platform. */
interface AllowedEmpty {
  /** A dashboard's uid, the title of one of its panels, and why. */
  panels: { dashboard: string; panel: string; reason: string }[];
  /** What a rule of Prometheus records or alerts under, and why. */
  rules: { rule: string; reason: string }[];
}

export const allowedEmptyFile = 'observability/allowed-empty.yaml';

/** Reads the list. `npm run validate` is what says whether it is right; what it lacks is empty here. */
export function readAllowedEmpty(text: string): AllowedEmpty {
  const { panels, rules } = mapIn<Record<keyof AllowedEmpty, unknown>>(readYaml(text)[0]?.value);
  return {
    panels: mapsIn<AllowedEmpty['panels'][number]>(panels).map(({ dashboard = '', panel = '', reason = '' }) => ({
      dashboard,
      panel,
      reason,
    })),
    rules: mapsIn<AllowedEmpty['rules'][number]>(rules).map(({ rule = '', reason = '' }) => ({ rule, reason })),
  };
}
