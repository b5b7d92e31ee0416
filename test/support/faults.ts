import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { type Chart, type Rendering, render, renderAllOn } from '../../scripts/repository/rendering/helm.ts';
import { openRepository, type Repository } from '../../scripts/repository/rendering/repository.ts';
import { lastingFolder } from './fakes.ts';
import { root } from './helm.ts';
import { tools, unedited } from './validation.ts';

/** A fault that is easily made, the rule that has to find it, and the file in which it has to be found. */
export interface Fault {
  rule: string;
  found: string;
  edits: Edit[];
  line?: number;
  /** What the finding says, as a regular expression. */
  message?: string;
}

interface Edit {
  /** The file, if it is not the one in which the fault is found. */
  in?: string;
  /** The first occurrence of the first text becomes the second. */
  edit?: [string, string];
  /** The same, of longer texts. */
  replace?: string;
  with?: string;
  /** The first occurrence of this text is removed. */
  cut?: string;
  append?: string;
  content?: string;
  /** Makes the file a link to this. */
  link?: string;
  /** The content, so many times. */
  times?: number;
  remove?: boolean;
}

const folder = join(root, 'test/faults');
const manifests = ['helm', 'argocd', 'observability', 'ingress', 'cluster', 'docs'];

/**
 * @returns every fault: a file of test/faults for each check, and in it those of one document, which are made at once. `---`
 * parts faults that would hide each other. A fault begins with its rule and the file; one edit needs no list.
 */
export function readFaults(): Fault[][] {
  return readdirSync(folder).flatMap((file) =>
    parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document) =>
      (document.toJS() as (Omit<Fault, 'rule' | 'found'> & Edit)[]).map((fault) => {
        const [rule = '', found = ''] = Object.entries(fault)[0] ?? [];
        return { ...fault, rule, found: String(found), edits: fault.edits ?? [fault] };
      }),
    ),
  );
}

/** @returns the files that a fault changes. */
export function filesOf({ found, edits }: Fault): string[] {
  return edits.map((edit) => edit.in ?? found);
}

/** Copies of the manifests without any fault, which are not in use. */
const idle: string[] = [];

/**
 * Makes the faults in a copy of the manifests and has `work` look at that. Afterwards the copy is as it was, and serves the
 * next one: copying takes longer than most checks. Throws where a text to replace does not occur.
 */
export async function withFaults<T>(faults: readonly Fault[], work: (folder: string) => Promise<T>): Promise<T> {
  const target = idle.pop() ?? copyManifests();
  for (const { rule, found, edits } of faults)
    for (const edit of edits) make(`${rule} in ${found}`, edit, join(target, edit.in ?? found));
  const result = await work(target);
  for (const file of faults.flatMap(filesOf)) restore(file, target);
  idle.push(target);
  return result;
}

function copyManifests(): string {
  const target = lastingFolder();
  for (const each of manifests)
    cpSync(join(root, each), join(target, each), { recursive: true, verbatimSymlinks: true });
  return target;
}

function make(name: string, edit: Edit, file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  if (edit.remove) rmSync(file, { recursive: true });
  else if (edit.link !== undefined) symlinkSync(edit.link, file);
  else writeFileSync(file, edit.content?.repeat(edit.times ?? 1) ?? edited(name, edit, readFileSync(file, 'utf8')));
}

function edited(name: string, { append, edit, cut, ...long }: Edit, text: string): string {
  if (append !== undefined) return text + append;
  const [before = long.replace ?? cut, after = long.with ?? ''] = edit ?? [];
  if (before === undefined || !text.includes(before))
    throw new Error(`${name}: the file does not hold the text that is to be replaced: ${before}`);
  return text.replace(before, () => after);
}

/** Puts a file back that was edited or removed, or takes it away with the folders that were made for it. */
function restore(file: string, target: string): void {
  let top = file;
  while (!existsSync(join(root, dirname(top)))) top = dirname(top);
  rmSync(join(target, top), { recursive: true, force: true });
  if (existsSync(join(root, top)))
    cpSync(join(root, top), join(target, top), { recursive: true, verbatimSymlinks: true });
}

/**
 * The manifests of a copy with faults. What they don't concern is not read and rendered once more, but taken from the manifests as they are:
 * of the charts, all that no fault is in, and of the library chart's faults, all but one. `alone` leaves those out.
 */
export function openCopy(target: string, faults: readonly Fault[], alone: boolean): Repository {
  const files = faults.flatMap(filesOf);
  const names = files
    .flatMap((file) => /^helm\/([^/]+)\//.exec(file)?.[1] ?? [])
    .map((name) => (name === 'common' ? 'api-node' : name));
  const values = ['values.yaml', ...files.flatMap((file) => /^helm\/[^/]+\/(values-.*)$/.exec(file)?.[1] ?? [])];
  const isChanged = ({ name }: Chart) => names.includes(name);
  const copy = openRepository(target, tools);
  const changed = async () => (await copy.charts()).filter(isChanged);
  let renderings: Promise<Rendering[]> | undefined;
  const renderAll = async () => {
    const made = (await changed()).flatMap((chart) =>
      [undefined, ...chart.overlays]
        .filter((overlay) => values.includes(overlay ?? 'values.yaml'))
        .map((overlay) => render(target, chart, overlay, tools)),
    );
    const others = alone ? [] : (await unedited.renderings()).filter(({ chart }) => !isChanged(chart));
    return [...(await Promise.all(made)), ...others];
  };
  const { manifest } = copy;
  return Object.assign(copy, {
    renderings: () => (renderings ??= renderAll()),
    async allOn() {
      const text = (chart: Chart) => copy.text(`${chart.folder}/values.yaml`).catch(() => '');
      return Promise.all((await changed()).map(async (chart) => renderAllOn(target, chart, await text(chart), tools)));
    },
    async manifest(file: string) {
      const same = (await copy.text(file)) === (await unedited.text(file).catch(() => undefined));
      return same ? unedited.manifest(file) : manifest(file);
    },
  });
}
