import type { FieldPath } from '../../../repository/yaml.ts';

/** The parts of a JSON schema that say which keys there are. */
export interface JsonSchema {
  $ref?: string;
  properties?: Record<string, JsonSchema | boolean>;
  patternProperties?: Record<string, JsonSchema | boolean>;
  additionalProperties?: JsonSchema | boolean;
  definitions?: Record<string, JsonSchema>;
  allOf?: JsonSchema[];
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
}

/**
 * What a schema says of the value at a path. Undefined where it names no such key, even if it lets it pass: what the
 * schema does not name, it does not check.
 */
export function findInSchema(schema: JsonSchema, path: FieldPath): JsonSchema | undefined {
  return find(schema, path, schema);
}

function find(schema: JsonSchema | boolean, path: FieldPath, root: JsonSchema): JsonSchema | undefined {
  // `true` lets everything pass and `false` nothing; neither names a key.
  if (typeof schema !== 'object' || schema === null) return schema === true && path.length === 0 ? {} : undefined;
  const [key, ...rest] = path;
  const alternatives = [...(schema.allOf ?? []), ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  const target = schema.$ref?.startsWith('#/definitions/')
    ? root.definitions?.[schema.$ref.slice('#/definitions/'.length)]
    : undefined;
  if (key === undefined) return target ? { ...target, ...schema } : schema;
  const own = ownKey(schema, String(key));
  if (own !== undefined) return find(own, rest, root);
  for (const each of target ? [target, ...alternatives] : alternatives) {
    const found = find(each, path, root);
    if (found !== undefined) return found;
  }
  return undefined;
}

function ownKey(schema: JsonSchema, key: string): JsonSchema | boolean | undefined {
  const named = schema.properties?.[key];
  if (named !== undefined) return named;
  const pattern = Object.entries(schema.patternProperties ?? {}).find(([source]) => new RegExp(source).test(key));
  if (pattern !== undefined) return pattern[1];
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}
