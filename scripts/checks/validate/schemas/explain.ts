import type { ErrorObject } from 'ajv';
import { closest } from '../../../lib/text.ts';
import type { FieldPath } from '../../../repository/yaml.ts';

/** One error of a schema, in words. */
export interface Explanation {
  rule: 'schema-unknown-field' | 'schema-type' | 'schema-required' | 'schema-value';
  path: FieldPath;
  message: string;
  remedy: string;
}

/** Says what a schema's error means: where, what was found, and what is wanted. */
export function explain(
  { keyword, instancePath, params, data, parentSchema }: ErrorObject,
  object: unknown,
): Explanation {
  const path = pathOf(instancePath, object);
  switch (keyword) {
    case 'additionalProperties': {
      const name = String(params.additionalProperty);
      const known = Object.keys((parentSchema?.properties ?? {}) as object);
      const meant = closest(name, known);
      const hint = meant === undefined ? '' : ` Did you mean ${meant}?`;
      const others = known.length <= 12 ? known.join(', ') : `${known.slice(0, 12).join(', ')} and others`;
      return {
        rule: 'schema-unknown-field',
        path: [...path, name],
        message: `there is no such field.${hint}`,
        remedy: meant === undefined ? `Remove it. The fields here are: ${others}.` : `Write ${meant}, or remove it.`,
      };
    }
    case 'required': {
      const name = String(params.missingProperty);
      return { rule: 'schema-required', path, message: `${name} is missing.`, remedy: `Add ${name}.` };
    }
    case 'type': {
      const wanted = [params.type].flat().map((type) => typeNames[type] ?? type);
      return {
        rule: 'schema-type',
        path,
        message: `${shown(data)} is ${typeOf(data)}, and ${wanted.join(' or ')} is wanted.`,
        remedy: typeRemedy(data, [params.type].flat()),
      };
    }
    case 'enum': {
      const allowed = (params.allowedValues as unknown[]).map(String);
      const meant = typeof data === 'string' ? closest(data, allowed) : undefined;
      return {
        rule: 'schema-value',
        path,
        message: `${shown(data)} is not one of ${allowed.join(', ')}.`,
        remedy: meant === undefined ? 'Write one of these.' : `Did you mean ${meant}?`,
      };
    }
    case 'pattern':
      return {
        rule: 'schema-value',
        path,
        message: `${shown(data)} is not written as it must be (${params.pattern}).`,
        remedy: 'Correct the value: a quantity is a number with a unit such as m, Mi or Gi.',
      };
    default:
      return {
        rule: 'schema-value',
        path,
        message: `${shown(data)} must be ${keyword} ${JSON.stringify(params.limit ?? params)}.`,
        remedy: 'Correct the value.',
      };
  }
}

const typeNames: Record<string, string> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'a group of fields',
  array: 'a list',
};

function typeOf(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeNames[typeof value] ?? typeof value;
}

function typeRemedy(value: unknown, wanted: readonly string[]): string {
  if (value === null) return 'Write a value, or remove the key.';
  if (typeof value !== 'object' && wanted.includes('string')) return 'Put the value into quotes.';
  if (typeof value === 'string' && !wanted.includes('object') && !wanted.includes('array')) {
    return 'Write it without quotes.';
  }
  return 'Correct the indentation, or the value.';
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** `/spec/ports/0/name` as a path, with the numbers of lists as numbers. */
function pathOf(pointer: string, object: unknown): FieldPath {
  let value = object;
  return pointer
    .split('/')
    .slice(1)
    .map((part) => {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
      const name = Array.isArray(value) ? Number(key) : key;
      value = (value as Record<string | number, unknown> | undefined)?.[name];
      return name;
    });
}
