import { connectGrafana, type Grafana } from '../components/grafana.ts';
import type { Context } from '../images/context.ts';
import { jsonIfThere } from '../kubernetes/api/api.ts';
import { UserError } from '../lib/errors.ts';
import {
  assertUid,
  dashboardConfigMaps,
  dashboardPath,
  normalText,
  readDashboards,
  writeDashboard,
} from '../repository/dashboards/files.ts';
import { fileText } from '../repository/dashboards/normal-form.ts';

/** How a dashboard's file and what Grafana shows stand to each other. */
export type DashboardState =
  | 'same'
  | 'changed in Grafana'
  | 'changed here'
  | 'changed in both'
  | 'new in Grafana'
  | 'only here';

export interface DashboardComparison {
  uid: string;
  title: string;
  state: DashboardState;
  /** The text of the file, as it is. */
  here: string | undefined;
  /** What the file would be, were it written from what Grafana shows. */
  there: string | undefined;
}

/**
 * Compares the files with what Grafana shows, for some dashboards or for all. What `npm run up` brought there last, which
 * the ConfigMap still has, tells on which side something was changed. Throws a `UserError` for a uid that neither side has.
 */
export async function compareDashboards(
  context: Context,
  uids: readonly string[],
  grafana: Grafana = connectGrafana(context),
): Promise<DashboardComparison[]> {
  const [files, applied, listed] = await Promise.all([
    readDashboards(context.config.root),
    readApplied(context),
    grafana.dashboards(),
  ]);
  const titles = new Map(listed.map(({ uid, title }) => [uid, title]));
  const all = [...new Set([...files.keys(), ...titles.keys()])].sort();
  const unknown = uids.find((uid) => !all.includes(uid));
  if (unknown !== undefined) {
    throw new UserError(`There is no dashboard ${unknown}, neither in Git nor in Grafana.`, {
      hint: 'npm run dashboards',
    });
  }
  const compared = all.filter((uid) => uids.length === 0 || uids.includes(uid));
  return Promise.all(
    compared.map(async (uid) => {
      assertUid(uid);
      const file = files.get(uid);
      const there = titles.has(uid) ? fileText(await grafana.dashboard(uid)) : undefined;
      const title = titles.get(uid) ?? (JSON.parse(file?.text ?? '{}') as { title?: string }).title ?? '';
      return { uid, title, state: dashboardState(file?.normal, there, applied.get(uid)), here: file?.text, there };
    }),
  );
}

/** All three in their normal form; `applied` is what Grafana was given last. */
export function dashboardState(
  here: string | undefined,
  there: string | undefined,
  applied: string | undefined,
): DashboardState {
  if (there === undefined) return 'only here';
  if (here === undefined) return 'new in Grafana';
  if (here === there) return 'same';
  if (here === applied) return 'changed in Grafana';
  return there === applied ? 'changed here' : 'changed in both';
}

/** From every ConfigMap of dashboards; those that the cluster does not have, hold none. */
async function readApplied(context: Context): Promise<Map<string, string>> {
  const names = await dashboardConfigMaps(context.config.root);
  const maps = names.map((name) =>
    jsonIfThere<{ data?: Record<string, string> }>(
      context.api(),
      `/api/v1/namespaces/observability/configmaps/${name}`,
    ),
  );
  const files = (await Promise.all(maps)).flatMap((map) => Object.entries(map?.data ?? {}));
  return new Map(files.map(([key, text]) => [key.replace(/\.json$/, ''), normalText(text, `The ConfigMap's ${key}`)]));
}

/** What pulling would change in a dashboard's file, in unified form; empty where nothing. */
export async function dashboardDiff({ uid, here, there, state }: DashboardComparison): Promise<string> {
  if (there === undefined || state === 'same') return '';
  // Loaded when it is needed: most runs only list.
  const { createTwoFilesPatch, FILE_HEADERS_ONLY } = await import('diff');
  const [before, after] = [here === undefined ? '/dev/null' : dashboardPath(uid), `${uid} in Grafana`];
  const options = { context: 3, headerOptions: FILE_HEADERS_ONLY };
  return createTwoFilesPatch(before, after, here ?? '', there, undefined, undefined, options).trimEnd();
}

/** What pulling does about a dashboard. */
export interface PullResult {
  uid: string;
  file: string;
  /** Written, or left as it is and why. */
  result: 'written' | 'unchanged' | 'kept' | 'refused';
  reason: string;
}

const pullReasons: Record<DashboardState, Omit<PullResult, 'uid' | 'file'>> = {
  same: { result: 'unchanged', reason: 'Grafana shows what the file says' },
  'changed in Grafana': { result: 'written', reason: 'changed in Grafana' },
  'new in Grafana': { result: 'written', reason: 'new in Grafana' },
  'changed here': { result: 'kept', reason: 'only the file was changed: npm run up brings it to Grafana' },
  'only here': { result: 'kept', reason: 'Grafana does not have it yet: npm run up brings it there' },
  'changed in both': { result: 'refused', reason: 'changed here as well: commit that, or replace it with --force' },
};

/**
 * Whether a dashboard's file is written from what Grafana shows. A file that was changed on its own is not undone by that,
 * and one that was changed on both sides is only replaced where `replace` says so of its file.
 */
export function planPull({ uid, state }: DashboardComparison, replace: (file: string) => boolean): PullResult {
  const file = dashboardPath(uid);
  if (state === 'changed in both' && replace(file))
    return { uid, file, result: 'written', reason: 'changed in Grafana' };
  return { uid, file, ...pullReasons[state] };
}

/** Writes what is planned. */
export async function applyPull(
  root: string,
  compared: readonly DashboardComparison[],
  plan: readonly PullResult[],
): Promise<void> {
  for (const { uid, result } of plan) {
    const text = compared.find((one) => one.uid === uid)?.there;
    if (result === 'written' && text !== undefined) await writeDashboard(root, uid, text);
  }
}
