import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The part of JSON Schema that Kubernetes uses. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: boolean | Schema;
  enum?: unknown[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  nullable?: boolean;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[];
}

const kept = ['enum', 'minimum', 'maximum', 'minLength', 'maxLength', 'minItems', 'maxItems', 'required'] as const;

/** A quantity as Kubernetes parses it, as text; a plain number is one, too. k8s.io/apimachinery/pkg/api/resource */
const quantity = '^[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$';

/** Definitions that are not what they look like: their Go types parse themselves. */
export const special: Record<string, Schema> = {
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': { type: ['integer', 'string'] },
  'io.k8s.apimachinery.pkg.api.resource.Quantity': { type: ['string', 'number'], pattern: quantity },
  // A schema, which can hold everything.
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps': { type: 'object' },
  'io.k8s.apimachinery.pkg.runtime.RawExtension': { type: 'object' },
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': { type: 'object' },
};

/**
 * What is left of a schema when everything that doesn't decide is dropped, with every object closed that names its
 * fields: the API server drops an unknown field or refuses it, and neither is what its author wanted.
 */
export function condense(schema: Schema): Schema {
  if (schema.$ref !== undefined) return { $ref: schema.$ref };
  if (schema['x-kubernetes-int-or-string']) {
    return { type: ['integer', 'string'], ...(usable(schema.pattern) && { pattern: schema.pattern }) };
  }
  const open = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const result: Schema = {};
  if (schema.type !== undefined) result.type = schema.nullable ? [schema.type, 'null'].flat() : schema.type;
  if (usable(schema.pattern)) result.pattern = schema.pattern;
  for (const key of kept) if (schema[key] !== undefined) Object.assign(result, { [key]: schema[key] });
  if (schema.items) result.items = condense(schema.items);
  if (schema.properties) {
    const fields = Object.entries(schema.properties).map(([name, field]) => [name, condense(field)] as const);
    result.properties = Object.fromEntries(fields);
    if (!open) result.additionalProperties = false;
  } else if (typeof schema.additionalProperties === 'object') {
    result.additionalProperties = condense(schema.additionalProperties);
  }
  return result;
}

/** Go's patterns are not all JavaScript's: those that JavaScript can't read in its strict mode are left out. */
function usable(pattern: string | undefined): pattern is string {
  if (pattern === undefined) return false;
  try {
    new RegExp(pattern, 'u');
    return true;
  } catch {
    return false;
  }
}

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
      addGroupVersion(definitions, `io.k8s.api.${group.name}.${version.name}`, source);
    }
  }
}

function addGroupVersion(definitions: Record<string, Schema>, prefix: string, source: string): void {
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
