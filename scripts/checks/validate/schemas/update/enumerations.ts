import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Schema } from './json-schema.ts';

/**
 * Adds the values of enumerations to the definitions, from the Go types of k8s.io/api: a type with the marker `+enum`,
 * its constants, and the fields of that type.
 */
export async function addEnumerations(definitions: Record<string, Schema>, api: string): Promise<void> {
  for (const group of await readdir(api, { withFileTypes: true })) {
    if (!group.isDirectory()) continue;
    for (const version of await readdir(join(api, group.name), { withFileTypes: true })) {
      const file = join(api, group.name, version.name, 'types.go');
      const source = await readFile(file, 'utf8').catch(() => undefined);
      if (source === undefined) continue;
      addTo(definitions, `io.k8s.api.${group.name}.${version.name}`, source);
    }
  }
}

function addTo(definitions: Record<string, Schema>, prefix: string, source: string): void {
  const values = enumerationsOf(source);
  for (const [, struct = '', body = ''] of source.matchAll(/^type (\w+) struct \{\n(.*?)^\}/gms)) {
    const properties = definitions[`${prefix}.${struct}`]?.properties ?? {};
    for (const [, list, type = '', name = ''] of body.matchAll(/^\s+\w+\s+(\[\])?\*?(\w+)\s+`json:"(\w+)/gm)) {
      const field = properties[name];
      const allowed = values.get(type);
      if (field === undefined || allowed === undefined) continue;
      const target = list === undefined ? field : field.items;
      if (target !== undefined) target.enum = allowed;
    }
  }
}

function enumerationsOf(source: string): Map<string, string[]> {
  const names = [...source.matchAll(/^\/\/ \+enum\n(?:\/\/.*\n)*type (\w+) string/gm)].map((match) => match[1] ?? '');
  return new Map(
    names.flatMap((name) => {
      const constants = source.matchAll(new RegExp(`^\\s*(?:const )?\\w+\\s+${name}\\s*=\\s*"([^"]*)"`, 'gm'));
      const values = [...constants].map((match) => match[1] ?? '');
      return values.length === 0 ? [] : [[name, values] as const];
    }),
  );
}
