import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { lastingFolder } from './fakes.ts';
import { root } from './helm.ts';

/** A fault that is easily made, and the rule that has to find it. */
export interface Fault {
  name: string;
  rule: string;
  edits: Edit[];
  /** Where it is found, if not in a file that is edited. */
  found?: string;
  line?: number;
  /** What the finding says, as a regular expression. */
  message?: string;
}

interface Edit {
  file: string;
  /** The first occurrence of the first text becomes the second. */
  edit?: [string, string];
  /** The same, of longer texts. */
  replace?: string;
  with?: string;
  /** The first occurrence of this text is removed. */
  cut?: string;
  append?: string;
  content?: string;
  remove?: boolean;
}

const folder = join(root, 'test/faults');
const manifests = ['helm', 'argocd', 'observability', 'ingress', 'cluster', 'docs'];

/**
 * @returns every fault: a file of test/faults for each check, and in it those of one document, which are made at once. `---`
 * parts faults that would hide each other. One edit needs no list.
 */
export function readFaults(): Fault[][] {
  return readdirSync(folder).flatMap((file) =>
    parseAllDocuments(readFileSync(join(folder, file), 'utf8'))
      .map((document) => document.toJS() as Record<string, Omit<Fault, 'name'> & Edit>)
      .map((faults) => Object.entries(faults).map(([name, one]) => ({ ...one, name, edits: one.edits ?? [one] }))),
  );
}

/** Copies of the manifests without any fault, which are not in use. */
const idle: string[] = [];

/**
 * Makes the faults in a copy of the manifests and has `work` look at that. Afterwards the copy is as it was, and serves the
 * next one: copying takes longer than most checks. Throws where a text to replace does not occur.
 */
export async function withFaults<T>(faults: readonly Fault[], work: (folder: string) => Promise<T>): Promise<T> {
  const target = idle.pop() ?? copyManifests();
  for (const { name, edits } of faults) for (const edit of edits) make(name, edit, join(target, edit.file));
  const result = await work(target);
  for (const { edits } of faults) for (const { file } of edits) restore(file, target);
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
  else writeFileSync(file, edit.content ?? edited(name, edit, readFileSync(file, 'utf8')));
}

function edited(name: string, { file, append, edit, cut, ...long }: Edit, text: string): string {
  if (append !== undefined) return text + append;
  const [before = long.replace ?? cut, after = long.with ?? ''] = edit ?? [];
  if (before === undefined || !text.includes(before))
    throw new Error(`${name}: ${file} does not hold the text that is to be replaced: ${before}`);
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

/** The charts that faults change, of the library chart one for all, and the values files that show them. */
export function changedBy(faults: readonly Fault[]): { charts: string[]; values: string[] } {
  const files = faults.flatMap(({ edits }) => edits.map(({ file }) => file));
  const names = files.flatMap((file) => /^helm\/([^/]+)\//.exec(file)?.[1] ?? []);
  const overlays = files.flatMap((file) => /^helm\/[^/]+\/(values-.*)$/.exec(file)?.[1] ?? []);
  return {
    charts: [...new Set(names.map((name) => (name === 'common' ? 'api-node' : name)))],
    values: [...new Set(['values.yaml', ...overlays])],
  };
}
