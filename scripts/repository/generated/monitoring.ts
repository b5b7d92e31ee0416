import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { basename } from 'node:path/posix';
import { isMap, isSeq, type Node, stringify, visit } from 'yaml';
import { type KubeObject, parseObjects } from '../../kubernetes/objects.ts';
import { UserError } from '../../lib/errors.ts';
import { filesBelow, readText, understood, unreadable } from '../text.ts';
import { editYaml } from '../yaml.ts';

/** The folder whose parts have their ConfigMaps made of files. */
export const monitoringFolder = 'observability';
const namespaceFile = `${monitoringFolder}/prometheus/namespace.yaml`;
const grafanaDeployment = `${monitoringFolder}/grafana/deployment.yaml`;

/**
 * @param root of the checkout
 * @returns the uid of every dashboard, which is the name of its file, in order.
 */
export async function dashboardUids(root: string): Promise<string[]> {
  const names = await readdir(join(root, monitoringFolder, 'grafana', 'dashboards'));
  return names
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort();
}

/** A manifest that is made of other files, so that `kubectl apply -f` can read what those say. */
interface GeneratedFile {
  /** From the repository's top. */
  file: string;
  configMaps: {
    object: KubeObject;
    /** By key, the file that it holds. */
    carries: Map<string, string>;
  }[];
  text: string;
}

/** A file that has to be written, and what it held; undefined of one that is not there. */
interface GeneratedEdit {
  file: string;
  before?: string;
  after: string;
}

/** Gets a file's text by its path from the repository's top. */
type Read = (file: string) => Promise<string>;

/** Which ConfigMap carries a file, and the manifest that contains it; undefined of a file that none carries. */
function placeOf(file: string): { part: string; name: string; manifest: string } | undefined {
  const [, part = '', folder, key = ''] =
    /^observability\/([^/]+)\/(config|config\/rules|dashboards)\/([^/]+)$/.exec(file) ?? [];
  if (!(folder === 'dashboards' ? /\.json$/ : /\.ya?ml$/).test(key)) return undefined;
  const own = (name: string) => `${monitoringFolder}/${part}/${name}`;
  if (folder === 'config') return { part, name: `${part}-config`, manifest: own('configMap.yml') };
  if (folder === 'dashboards') {
    const manifest = own(part === 'grafana' ? 'configmap-dashboards.yaml' : 'configMap.yml');
    return { part, name: dashboardConfigMap(key.slice(0, -'.json'.length)), manifest };
  }
  // The rules of an add-on come and go with it.
  const name = part === 'prometheus' ? 'prometheus-rules' : `prometheus-rules-${part}`;
  return { part, name, manifest: own('configMap.yml') };
}

const dashboardPrefix = 'grafana-dashboard-';

/** @returns the name of the ConfigMap that carries a dashboard: one each, since together they are too long for kubectl apply. */
export function dashboardConfigMap(uid: string): string {
  return dashboardPrefix + uid.toLowerCase().replaceAll('_', '-').replace(/-+$/, '');
}

/** @returns whether a file is a source, so that a ConfigMap carries it. */
export function isSource(file: string): boolean {
  return placeOf(file) !== undefined;
}

/**
 * Makes the manifests that are made of files.
 * @param files those below observability/, from the repository's top
 * @throws UserError where the Namespace or a source can't be read.
 */
export async function generate(files: readonly string[], read: Read): Promise<GeneratedFile[]> {
  const made = new Map<string, Map<string, GeneratedFile['configMaps'][number]>>();
  const sources = files.filter(isSource).map(async (file) => [file, await read(file)] as const);
  const texts = new Map(await Promise.all(sources));
  for (const file of [...texts.keys()].sort()) {
    const { part, name, manifest } = placeOf(file) ?? { part: '', name: '', manifest: '' };
    const configMaps = made.get(manifest) ?? new Map();
    const { object, carries } = configMaps.get(name) ?? { object: emptyConfigMap(part, name), carries: new Map() };
    (object.data as Record<string, string>)[basename(file)] = texts.get(file) ?? '';
    carries.set(basename(file), file);
    made.set(manifest, configMaps.set(name, { object, carries }));
  }
  if (made.size === 0) return [];
  const namespaceText = await read(namespaceFile);
  const namespaces = understood(namespaceFile, () => parseObjects(namespaceText));
  return [...made].map(([file, byName]) => {
    const configMaps = [...byName.values()];
    return { file, configMaps, text: textOf([...namespaces, ...configMaps.map(({ object }) => object)]) };
  });
}

function emptyConfigMap(part: string, name: string): KubeObject {
  const labels = { 'app.kubernetes.io/name': part, 'app.kubernetes.io/part-of': 'observability' };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'observability', labels }, data: {} };
}

const header = [
  '# Made of the files in the folder beside it: edit those, and then npm run validate -- --fix.',
  '# The Namespace comes first because kubectl applies files in the order of their names, and this one is the first.',
  '',
].join('\n');

function textOf(objects: readonly KubeObject[]): string {
  // As kubectl reads it, in YAML 1.1, where `yes` and 0440 need quotes.
  const options = { version: '1.1', lineWidth: 0, blockQuote: 'literal', aliasDuplicateObjects: false } as const;
  return header + objects.map((object) => stringify(object, options)).join('---\n');
}

/**
 * What has to be written so that the manifests say what their sources say, and Grafana mounts each dashboard.
 * @param files those below observability/, from the repository's top
 * @throws UserError where a file that this needs can't be read.
 */
export async function generatedEdits(files: readonly string[], read: Read): Promise<GeneratedEdit[]> {
  const generated = await generate(files, read);
  const before = async (file: string) => (files.includes(file) ? { before: await read(file) } : {});
  const edits: GeneratedEdit[] = await Promise.all(
    generated.map(async ({ file, text }) => ({ file, ...(await before(file)), after: text })),
  );
  const dashboards = generated
    .flatMap(({ configMaps }) => configMaps)
    .map(({ object: { metadata } }) => ({ name: metadata.name, part: metadata.labels?.['app.kubernetes.io/name'] }))
    .filter(({ name }) => name.startsWith(dashboardPrefix))
    .map(({ name, part }) => ({ name, ...(part !== 'grafana' && { optional: true }) }));
  if (dashboards.length > 0) {
    const deployment = await read(grafanaDeployment);
    edits.push({ file: grafanaDeployment, before: deployment, after: mounting(deployment, dashboards) });
  }
  return edits.filter((edit) => edit.after !== edit.before);
}

/** The Deployment that mounts exactly these ConfigMaps of dashboards. One that comes with an add-on may be missing. */
function mounting(deployment: string, wanted: { name: string; optional?: boolean }[]): string {
  const nameIn = (source: unknown) => (isMap(source) ? source.getIn(['configMap', 'name']) : undefined);
  const isOurs = (source: unknown) => `${nameIn(source) ?? ''}`.startsWith(dashboardPrefix);
  return editYaml(deployment, grafanaDeployment, (document) => {
    let found = false;
    visit(document, {
      Pair(_, { key, value }) {
        if (`${key}` !== 'sources' || !isSeq(value)) return;
        found = true;
        const others = value.items.filter((source) => !isOurs(source));
        const sources = wanted.map((configMap) => {
          const known = value.items.find((source) => nameIn(source) === configMap.name);
          return (known ?? document.createNode({ configMap })) as Node;
        });
        value.items = [...others, ...sources];
        return visit.BREAK;
      },
    });
    if (!found)
      throw unreadable(`${grafanaDeployment} has no volume of dashboards: one that is projected, with sources.`);
  });
}

/**
 * @param changes files that are not written yet, by their paths from the repository's top
 * @returns what has to be written besides, so that the manifests say what their sources then say.
 * @throws UserError where a file that this needs can't be read.
 */
export async function editsAfter(root: string, changes: ReadonlyMap<string, string>): Promise<GeneratedEdit[]> {
  const files = new Set([...(await filesBelow(root, monitoringFolder)), ...changes.keys()]);
  return generatedEdits([...files], async (file) => changes.get(file) ?? readText(root, file));
}

/**
 * Makes sure that the manifests which `up` applies say what their sources say.
 * @throws UserError where somebody edited a source, or the manifest, alone.
 */
export async function assertGenerated(root: string): Promise<void> {
  const [edit] = await editsAfter(root, new Map());
  if (edit === undefined) return;
  throw new UserError(`${edit.file} does not say what its sources say, so they would not reach the cluster.`, {
    id: 'generated-file',
    hint: 'npm run validate -- --fix, then npm run up',
  });
}
