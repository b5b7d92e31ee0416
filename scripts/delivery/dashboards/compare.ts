import { connectGrafana, type Grafana } from '../../components/grafana-api.ts';
import type { Context } from '../../images/context.ts';
import { ApiError } from '../../kubernetes/api/api.ts';
import { UserError } from '../../lib/errors.ts';
import {
  assertUid,
  dashboardConfigMaps,
  normalText,
  readDashboardManifests,
  readDashboards,
} from '../../repository/dashboards/files.ts';
import { fileText } from '../../repository/dashboards/normal-form.ts';

/** How a dashboard's file and what Grafana shows stand to each other. */
export type State = 'same' | 'changed in Grafana' | 'changed here' | 'changed in both' | 'new in Grafana' | 'only here';

export interface Comparison {
  uid: string;
  title: string;
  state: State;
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
): Promise<Comparison[]> {
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
      return { uid, title, state: stateOf(file?.normal, there, applied.get(uid)), here: file?.text, there };
    }),
  );
}

/** All three in their normal form; `applied` is what Grafana was given last. */
export function stateOf(here: string | undefined, there: string | undefined, applied: string | undefined): State {
  if (there === undefined) return 'only here';
  if (here === undefined) return 'new in Grafana';
  if (here === there) return 'same';
  if (here === applied) return 'changed in Grafana';
  return there === applied ? 'changed here' : 'changed in both';
}

/** From every ConfigMap of dashboards; those that the cluster does not have, hold none. */
async function readApplied(context: Context): Promise<Map<string, string>> {
  const { kustomization } = await readDashboardManifests(context.config.root);
  const maps = await Promise.all(dashboardConfigMaps(kustomization).map((name) => appliedIn(context, name)));
  return new Map(maps.flat());
}

async function appliedIn(context: Context, configMap: string): Promise<[uid: string, text: string][]> {
  try {
    const path = `/api/v1/namespaces/observability/configmaps/${configMap}`;
    const { data = {} } = await context.api().json<{ data?: Record<string, string> }>(path);
    return Object.entries(data).map(([key, text]) => [
      key.replace(/\.json$/, ''),
      normalText(text, `The ConfigMap's ${key}`),
    ]);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return [];
    throw error;
  }
}
