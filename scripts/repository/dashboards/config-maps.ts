import { isMap, isSeq, parseDocument, type YAMLSeq } from 'yaml';
import { configMapLimit, readKustomization } from '../../kubernetes/kustomization.ts';

/** The files that bring the dashboards to Grafana, by their texts. */
export interface Bringing {
  /** Which ConfigMap takes which files. */
  kustomization: string;
  /** Which ConfigMaps Grafana's pod mounts. */
  deployment: string;
}

/** Where they lie, relative to the repository's top. */
export const bringingFiles: Bringing = {
  kustomization: 'observability/grafana/kustomization.yaml',
  deployment: 'observability/grafana/deployment.yaml',
};

const first = 'grafana-dashboards';
const isOurs = (name: unknown) => typeof name === 'string' && /^grafana-dashboards(-\d+)?$/.test(name);

/** Bytes up to which a ConfigMap is given more: a quarter of it is left for what is drawn into these dashboards later. */
const room = (configMapLimit * 3) / 4;

/** The ConfigMaps of a kustomization.yaml that hold dashboards, by their names. */
export function dashboardConfigMaps(kustomization: string): string[] {
  const { configMaps } = readKustomization(parseDocument(kustomization).toJS());
  return configMaps.map(({ name }) => name).filter(isOurs);
}

/**
 * The files with a dashboard more; comments stay. It goes into the first ConfigMap that has room for it, or into one more,
 * which the pod then mounts as well. `sizes` are bytes by uid. Throws where there is no list of dashboards.
 */
export function bringing(files: Bringing, uid: string, sizes: ReadonlyMap<string, number>): Bringing {
  const document = parseDocument(files.kustomization);
  const generators = document.get('configMapGenerator');
  const ours = isSeq(generators) ? generators.items.filter(isMap).filter((one) => isOurs(one.get('name'))) : [];
  const lists = ours.map((one) => one.get('files')).filter((list): list is YAMLSeq => isSeq(list));
  const [like] = ours;
  if (like === undefined || lists.length === 0)
    throw new Error(`${bringingFiles.kustomization} has no list of the files of ${first}`);
  const entry = entryOf(uid);
  if (lists.some((list) => entriesOf(list).includes(entry))) return files;
  const bytesOf = new Map([...sizes].map(([one, bytes]) => [entryOf(one), bytes]));
  const sum = (list: YAMLSeq) => entriesOf(list).reduce((bytes, one) => bytes + (bytesOf.get(one) ?? 0), 0);
  const place = lists.find((list) => sum(list) + (sizes.get(uid) ?? 0) <= room);
  if (place) {
    place.add(entry);
    return { ...files, kustomization: document.toString({ lineWidth: 0 }) };
  }
  const name = `${first}-${ours.length + 1}`;
  const another = document.createNode({ name, namespace: like.get('namespace'), files: [entry] });
  const all = (generators as YAMLSeq).items;
  all.splice(all.lastIndexOf(ours.at(-1)) + 1, 0, another);
  return { kustomization: document.toString({ lineWidth: 0 }), deployment: mounting(files.deployment, name) };
}

function entryOf(uid: string): string {
  return `dashboards/${uid}.json`;
}

function entriesOf(list: YAMLSeq): string[] {
  return list.toJSON() as string[];
}

/** As text: of numbers as 0440 a YAML library would make others. */
function mounting(deployment: string, name: string): string {
  const sources = [...deployment.matchAll(/^ *- configMap:\n *name: grafana-dashboards(-\d+)?\n/gm)];
  const last = sources.at(-1);
  if (last === undefined) throw new Error(`${bringingFiles.deployment} mounts no ConfigMap ${first}`);
  const end = last.index + last[0].length;
  const another = last[0].replace(/name: .*/, `name: ${name}`);
  return deployment.slice(0, end) + another + deployment.slice(end);
}
