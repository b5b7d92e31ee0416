import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
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
  /** The first occurrence of this text becomes `with`. */
  replace?: string;
  with?: string;
  append?: string;
  content?: string;
  remove?: boolean;
}

const folder = join(root, 'test/faults');
const manifests = ['helm', 'argocd', 'observability', 'ingress', 'cluster', 'docs'];

/** @returns every fault, by its name: a file of test/faults for each check. One edit needs no list. */
export function readFaults(): Fault[] {
  return readdirSync(folder).flatMap((file) => {
    const faults = parse(readFileSync(join(folder, file), 'utf8')) as Record<string, Omit<Fault, 'name'> & Edit>;
    return Object.entries(faults).map(([name, fault]) => ({ ...fault, name, edits: fault.edits ?? [fault] }));
  });
}

/** Copies of the manifests without any fault, which are not in use. */
const idle: string[] = [];

/**
 * Makes the fault in a copy of the manifests and has `work` look at that. Afterwards the copy is as it was, and serves the
 * next one: copying takes longer than most checks. Throws where the text to replace does not occur.
 */
export async function withFault<T>(fault: Fault, work: (folder: string) => Promise<T>): Promise<T> {
  const target = idle.pop() ?? copyManifests();
  makeFault(fault, target);
  const result = await work(target);
  for (const { file } of fault.edits) restore(file, target);
  idle.push(target);
  return result;
}

function copyManifests(): string {
  const target = lastingFolder();
  for (const each of manifests)
    cpSync(join(root, each), join(target, each), { recursive: true, verbatimSymlinks: true });
  return target;
}

function makeFault({ name, edits }: Fault, target: string): void {
  for (const edit of edits) {
    const file = join(target, edit.file);
    if (edit.remove) {
      rmSync(file, { recursive: true });
      continue;
    }
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(
      file,
      edited(name, edit, () => readFileSync(file, 'utf8')),
    );
  }
}

/** Puts a file back that was edited or removed, or takes it away with the folders that were made for it. */
function restore(file: string, target: string): void {
  let top = file;
  while (!existsSync(join(root, dirname(top)))) top = dirname(top);
  rmSync(join(target, top), { recursive: true, force: true });
  if (existsSync(join(root, top)))
    cpSync(join(root, top), join(target, top), { recursive: true, verbatimSymlinks: true });
}

function edited(name: string, { file, content, append, replace, with: replacement }: Edit, read: () => string): string {
  if (content !== undefined) return content;
  const text = read();
  if (append !== undefined) return text + append;
  if (replace === undefined || replacement === undefined || !text.includes(replace)) {
    throw new Error(`${name}: ${file} does not hold the text that is to be replaced: ${replace}`);
  }
  return text.replace(replace, () => replacement);
}

/** The charts that a fault changes, of the library chart one for all, and the values files that show it. */
export function changedBy({ edits }: Fault): { charts: string[]; values: string[] } {
  const names = edits.flatMap(({ file }) => /^helm\/([^/]+)\//.exec(file)?.[1] ?? []);
  const overlays = edits.flatMap(({ file }) => /^helm\/[^/]+\/(values-.*)$/.exec(file)?.[1] ?? []);
  return {
    charts: [...new Set(names.map((name) => (name === 'common' ? 'api-node' : name)))],
    values: ['values.yaml', ...overlays],
  };
}
