import { statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isMap, isSeq, visit, type YAMLSeq } from 'yaml';
import { configMapLimit } from '../../kubernetes/kustomization.ts';
import { messageOf, UserError } from '../../lib/errors.ts';
import { writeWhole } from '../../lib/files.ts';
import { isRecord } from '../../lib/text.ts';
import { readKustomizedObjects } from '../manifests.ts';
import { readText, unreadable } from '../text.ts';
import { editYaml, mapIn, mapsIn, readYaml } from '../yaml.ts';
import { fileText, type JsonMap } from './normal-form.ts';

const grafana = 'observability/grafana';
const kustomizationFile = `${grafana}/kustomization.yaml`;
const deploymentFile = `${grafana}/deployment.yaml`;

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

async function dashboardUids(root: string): Promise<string[]> {
  const names = await readdir(join(root, grafana, 'dashboards'));
  return names
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort();
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

/** Writes a dashboard's file, and has a ConfigMap take it if it is a new one. */
export async function writeDashboard(root: string, uid: string, text: string): Promise<void> {
  writeWhole(join(root, dashboardPath(uid)), text);
  const read = (file: string) => readText(root, file);
  for (const { file, after } of await mountingEdits(root, uid, text, read)) writeWhole(join(root, file), after);
}

/**
 * The edits that bring a dashboard with this text to Grafana; none where it is brought there already. `read` gets a file's
 * text by its path from the repository's top.
 */
export async function mountingEdits(
  root: string,
  uid: string,
  text: string,
  read: (file: string) => Promise<string>,
): Promise<{ file: string; before: string; after: string }[]> {
  const [kustomization, deployment] = await Promise.all([read(kustomizationFile), read(deploymentFile)]);
  const sizes = new Map(
    (await dashboardUids(root)).map((one) => [one, statSync(join(root, dashboardPath(one))).size] as const),
  ).set(uid, Buffer.byteLength(text));
  const after = withDashboard({ kustomization, deployment }, uid, sizes);
  const edits = [
    { file: kustomizationFile, before: kustomization, after: after.kustomization },
    { file: deploymentFile, before: deployment, after: after.deployment },
  ];
  return edits.filter((edit) => edit.after !== edit.before);
}

/** The names of the ConfigMaps that hold dashboards. */
export async function dashboardConfigMaps(root: string): Promise<string[]> {
  const objects = await readKustomizedObjects(root, grafana);
  return objects.map(({ metadata }) => metadata.name).filter(isOurs);
}

/** The files that bring the dashboards to Grafana, by their texts. */
interface DashboardManifests {
  /** Which ConfigMap takes which files. */
  kustomization: string;
  /** Which ConfigMaps Grafana's pod mounts. */
  deployment: string;
}

const firstConfigMap = 'grafana-dashboards';
const isOurs = (name: unknown) => typeof name === 'string' && /^grafana-dashboards(-\d+)?$/.test(name);

/** Bytes up to which a ConfigMap is given more: a quarter of it is left for what is drawn into these dashboards later. */
const roomBytes = (configMapLimit * 3) / 4;

/**
 * The files with a dashboard more; comments stay. It goes into the first ConfigMap that has room for it, or into one more,
 * which the pod then mounts as well. `sizes` are bytes by uid. Throws where there is no list of dashboards.
 */
export function withDashboard(
  files: DashboardManifests,
  uid: string,
  sizes: ReadonlyMap<string, number>,
): DashboardManifests {
  let another: string | undefined;
  const kustomization = editYaml(files.kustomization, kustomizationFile, (document) => {
    const generators = document.get('configMapGenerator');
    const ours = isSeq(generators) ? generators.items.filter(isMap).filter((one) => isOurs(one.get('name'))) : [];
    const lists = ours.map((one) => one.get('files')).filter((list): list is YAMLSeq => isSeq(list));
    const [like] = ours;
    if (like === undefined || lists.length === 0)
      throw unreadable(`${kustomizationFile} has no list of the files of ${firstConfigMap}.`);
    const entry = entryOf(uid);
    if (lists.some((list) => entriesOf(list).includes(entry))) return;
    const bytesOf = new Map([...sizes].map(([one, bytes]) => [entryOf(one), bytes]));
    const sum = (list: YAMLSeq) => entriesOf(list).reduce((bytes, one) => bytes + (bytesOf.get(one) ?? 0), 0);
    const place = lists.find((list) => sum(list) + (sizes.get(uid) ?? 0) <= roomBytes);
    if (place) return place.add(entry);
    another = `${firstConfigMap}-${ours.length + 1}`;
    const { items } = generators as YAMLSeq;
    const generator = document.createNode({ name: another, namespace: like.get('namespace'), files: [entry] });
    items.splice(items.lastIndexOf(ours.at(-1)) + 1, 0, generator);
  });
  return { kustomization, deployment: another === undefined ? files.deployment : mounting(files.deployment, another) };
}

const entryOf = (uid: string) => `dashboards/${uid}.json`;
const entriesOf = (list: YAMLSeq) => list.toJSON() as string[];

/** The Deployment that mounts one more ConfigMap, beside the others that hold dashboards. */
function mounting(deployment: string, name: string): string {
  const mounts = (source: unknown) => isMap(source) && isOurs(source.getIn(['configMap', 'name']));
  return editYaml(deployment, deploymentFile, (document) => {
    let done = false;
    visit(document, {
      Seq(_, { items }) {
        const last = items.findLastIndex(mounts);
        if (last === -1) return;
        done = true;
        items.splice(last + 1, 0, document.createNode({ configMap: { name } }));
        return visit.BREAK;
      },
    });
    if (!done) throw unreadable(`${deploymentFile} mounts no ConfigMap ${firstConfigMap}.`);
  });
}

/** What may have no data on a healthy platform. */
export interface AllowedEmpty {
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
