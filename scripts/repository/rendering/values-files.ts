import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readYaml, type YamlDocument } from '../yaml-file.ts';
import type { FieldPath } from './located.ts';
import type { Chart } from './rendering.ts';
import type { Repository } from './repository.ts';

/** One of the values files of a rendering: a place that a value can come from. */
export interface ValuesFile {
  file: string;
  document: YamlDocument;
}

/** Reads values.yaml and the overlay on top of it, the overlay first. A file that can't be read is left out. */
export async function readValues(
  repository: Pick<Repository, 'text'>,
  chart: Chart,
  values: string,
): Promise<ValuesFile[]> {
  const names = values === 'values.yaml' ? [values] : [values, 'values.yaml'];
  const read = names.map(async (name) => {
    const file = `${chart.folder}/${name}`;
    const [document] = readYaml(await repository.text(file).catch(() => ''));
    return document === undefined || document.error ? [] : [{ file, document }];
  });
  return (await Promise.all(read)).flat();
}

/** The file and the line that set a value: of the topmost file that has it, else of what is nearest in values.yaml. */
export function placeOf(files: readonly ValuesFile[], path: FieldPath): { file: string; line?: number } | undefined {
  const found = files.find(({ document }) => document.has(path)) ?? files.at(-1);
  if (found === undefined) return undefined;
  const line = found.document.line(path);
  return { file: found.file, ...(line !== undefined && { line }) };
}

/**
 * Puts the very text of an unquoted scalar into quotes. What YAML made of the text can't be turned back into it, but the
 * text itself is still in the file.
 */
export async function quote(root: string, file: string, path: FieldPath): Promise<void> {
  const text = await readFile(join(root, file), 'utf8');
  const range = plainScalar(text, path);
  if (range === undefined) return;
  const [start, end] = range;
  await writeFile(join(root, file), `${text.slice(0, start)}"${text.slice(start, end)}"${text.slice(end)}`);
}

function plainScalar(text: string, path: FieldPath): readonly [number, number] | undefined {
  const scalar = readYaml(text)[0]?.scalar(path);
  return scalar?.type === 'PLAIN' && scalar.range[1] > scalar.range[0] ? [scalar.range[0], scalar.range[1]] : undefined;
}
