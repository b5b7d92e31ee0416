import { readdir, readlink } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { type Document, isMap, isScalar } from 'yaml';
import { withValuesTables } from '../generated/chart-readme.ts';
import { chartVersion, recordAnnotation } from '../generated/chart-version.ts';
import { withoutHolds } from '../hold.ts';
import { withImage } from '../image-values.ts';
import { filesBelow, readText } from '../text.ts';
import { editYaml } from '../yaml.ts';
import { type FileChange, renamed } from './changes.ts';
import type { NewService } from './options.ts';

/** What a chart is made of. Packed dependencies and what editors leave behind is no part of it. */
const part = /^(Chart\.yaml|README\.md|values[^/]*\.yaml|templates\/.*\.(yaml|tpl|txt))$/;

/**
 * The chart of a new service: that of the model under another name, links included. What the model has for itself, as its
 * variables, its callers and its secrets, stays with it.
 */
export async function chartChanges(root: string, wish: NewService): Promise<FileChange[]> {
  const { model } = wish;
  const [from, to] = [`helm/${model}`, `helm/${wish.name}`];
  const entries = await readdir(join(root, from), { recursive: true, withFileTypes: true });
  const changes = entries.map(async (entry): Promise<FileChange | undefined> => {
    const path = relative(join(root, from), join(entry.parentPath, entry.name)).split(sep).join('/');
    const file = `${to}/${path}`;
    if (entry.isSymbolicLink()) return { file, after: await readlink(join(root, from, path)), link: true };
    if (!entry.isFile() || !part.test(path)) return undefined;
    const text = renamed(await readText(root, `${from}/${path}`), model, wish.name);
    return { file, after: contentOf(path, text, file, wish) };
  });
  const made = (await Promise.all(changes)).filter((change) => change !== undefined);
  return Promise.all(made.map((change) => withGenerated(root, wish, change, made)));
}

/** What validate generates of the rest of the chart: the tables of its README, and the record of its templates. */
async function withGenerated(
  root: string,
  { name, model }: NewService,
  change: FileChange,
  all: readonly FileChange[],
): Promise<FileChange> {
  const folder = `helm/${name}`;
  const files = {
    // The schema is a link to the one that all charts have.
    text: async (file: string) =>
      all.find((one) => one.file === file && one.link === undefined)?.after ??
      readText(root, file.replace(folder, `helm/${model}`)),
    files: async (below: string) =>
      below.startsWith(`${folder}/`)
        ? all.flatMap(({ file }) => (file.startsWith(`${below}/`) ? [file] : [])).sort()
        : filesBelow(root, below),
  };
  const { file, after } = change;
  if (file === `${folder}/README.md`)
    return { ...change, after: (await withValuesTables(files, folder, after)) ?? after };
  if (file !== `${folder}/Chart.yaml`) return change;
  const { wanted } = await chartVersion(files, folder);
  const record = (document: Document) => document.setIn(['annotations', recordAnnotation], wanted);
  return { ...change, after: editYaml(after, file, record) };
}

function contentOf(path: string, text: string, file: string, wish: NewService): string {
  if (path === 'Chart.yaml') return editYaml(text, file, describe(wish));
  if (path === 'values.yaml') return withImage(editYaml(withoutHolds(text), file, adapt(wish)), wish.image, file);
  const [, environment] = /^values-(.+)\.yaml$/.exec(path) ?? [];
  return environment === undefined ? text : editYaml(text, file, adaptOverlay(environment));
}

function describe({ name }: NewService): (document: Document) => void {
  return (document) => {
    document.set('description', `The HTTP service ${name}.`);
    document.set('version', '0.1.0');
  };
}

function adapt({ port }: NewService): (document: Document) => void {
  return (document) => {
    document.setIn(['container', 'port'], port);
    document.setIn(['container', 'portName'], 'http');
    document.setIn(['container', 'portVariable'], 'PORT');
    document.setIn(['container', 'healthPath'], '/health');
    document.setIn(['service', 'port'], port);
    comment(document, ['service', 'port'], 'The port of the Service.');
    only(document, ['env'], ['ENV']);
    document.setIn(['env', 'ENV'], 'example');
    document.setIn(['ingress', 'enabled'], false);
    document.setIn(['ingress', 'tls'], []);
    document.setIn(['networkPolicy', 'fromServices'], []);
    document.setIn(['networkPolicy', 'toServices'], []);
    document.setIn(['sealedSecret', 'enabled'], false);
    document.setIn(['sealedSecret', 'encryptedData'], {});
    document.setIn(['tests', 'paths'], ['/health', '/info']);
  };
}

function adaptOverlay(environment: string): (document: Document) => void {
  return (document) => {
    only(document, [], ['env', 'replicaCount', 'autoscaling', 'resources']);
    only(document, ['env'], ['ENV']);
    document.setIn(['env', 'ENV'], environment);
  };
}

/** Takes all keys but these out of a map. */
function only(document: Document, path: readonly string[], keys: readonly string[]): void {
  const map = document.getIn(path);
  if (isMap(map)) map.items = map.items.filter(({ key }) => keys.includes(isScalar(key) ? String(key.value) : ''));
}

/** Gives a value another comment. */
function comment(document: Document, path: readonly string[], text: string): void {
  const map = document.getIn(path.slice(0, -1));
  const pair = isMap(map) && map.items.find(({ key }) => isScalar(key) && key.value === path.at(-1));
  if (pair && isScalar(pair.key)) pair.key.commentBefore = ` -- ${text}`;
}
