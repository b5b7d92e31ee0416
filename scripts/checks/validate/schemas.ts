import type { ErrorObject, ValidateFunction } from 'ajv';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { closest } from '../../lib/text.ts';
import { type Finding, findingAt, type Located } from '../../repository/rendering/finding.ts';
import type { ValidationCheck } from '../../repository/rendering/repository.ts';
import type { FieldPath } from '../../repository/yaml.ts';

/** Every object, held against what Kubernetes and the custom resource definitions say of its kind. */
export const validateSchemas: ValidationCheck = {
  name: 'schemas',
  title: 'every object matches the schema of its kind',
  rules: {
    'schema-unknown-kind': 'Every kind has a schema here, so that none stays unchecked.',
    'schema-unknown-field': 'An object has only fields that its kind has.',
    'schema-type': 'Every field has a value of its type: text, a number, true or false, a list, fields.',
    'schema-required': 'Every field that its kind demands is there.',
    'schema-value': 'A value is one of those that its field can take.',
  },
  async run(repository) {
    const { check, kinds } = await loadSchemas();
    const allOn = (await repository.allOn()).flatMap(({ objects }) => objects);
    const objects = [...(await repository.manifests()), ...(await repository.rendered()), ...allOn];
    return objects.flatMap((located): Finding[] => {
      const errors = check(located.object);
      if (errors === 'unknown') return [unknownKind(located, kinds)];
      return errors
        .map((error) => explainSchemaError(error, located.object))
        .map(({ rule, path, message, remedy }) => findingAt(located, rule, path, message, remedy));
    });
  },
};

function unknownKind(located: Located, kinds: readonly string[]): Finding {
  const { apiVersion, kind } = located.object;
  const same = kinds.find((each) => each.endsWith(`/${kind}`));
  return findingAt(
    located,
    'schema-unknown-kind',
    ['kind'],
    `no schema is known for ${kind} of ${apiVersion}.`,
    same === undefined
      ? 'Add the kind to scripts/checks/validate/schemas/update/sources.ts and run npm run schemas.'
      : `Write apiVersion: ${same.slice(0, -kind.length - 1)}, or add the kind to scripts/checks/validate/schemas/update/sources.ts.`,
  );
}

interface Schemas {
  /** What is wrong with an object, as ajv says it; nothing where all is well. `unknown` where the kind has no schema. */
  check(object: KubeObject): readonly ErrorObject[] | 'unknown';
  kinds: readonly string[];
}

interface SchemaFile {
  $id: string;
  kinds: Record<string, object>;
}

let loaded: Promise<Schemas> | undefined;

/**
 * The schemas beside this file, read once. Each kind's is compiled when it is first asked for: compiling is what costs.
 */
export function loadSchemas(): Promise<Schemas> {
  loaded ??= readSchemas();
  return loaded;
}

async function readSchemas(): Promise<Schemas> {
  const { Ajv } = await import('ajv');
  // Written out, so that esbuild sees them.
  const modules = await Promise.all([
    import('./schemas/custom-resources.json', { with: { type: 'json' } }),
    import('./schemas/kind.json', { with: { type: 'json' } }),
    import('./schemas/kubernetes.json', { with: { type: 'json' } }),
  ]);
  const files = modules.map((module): SchemaFile => module.default);
  const ajv = new Ajv({ allErrors: true, verbose: true, strict: false, inlineRefs: false });
  // The schemas are data of this repository, generated: checking them against the meta-schema each time is for nothing.
  for (const file of files) ajv.addSchema(file, file.$id, false, false);
  const kinds = new Map(files.flatMap((file) => Object.keys(file.kinds).map((kind) => [kind, file.$id] as const)));
  const compiled = new Map<string, ValidateFunction>();
  return {
    kinds: [...kinds.keys()],
    check(object) {
      const kind = `${object.apiVersion}/${object.kind}`;
      const file = kinds.get(kind);
      if (file === undefined) return 'unknown';
      const validate = compiled.get(kind) ?? ajv.compile({ $ref: `${file}#/kinds/${kind.replaceAll('/', '~1')}` });
      compiled.set(kind, validate);
      return validate(object) ? [] : (validate.errors ?? []);
    },
  };
}

/** One error of a schema in words: the rule that is broken, where, what was found, and what is wanted. */
interface SchemaErrorExplanation {
  rule: string;
  path: FieldPath;
  message: string;
  remedy: string;
}

/** @returns what a schema's error means. */
export function explainSchemaError(error: ErrorObject, object: unknown): SchemaErrorExplanation {
  const { keyword, instancePath, params, data, parentSchema } = error;
  const path = pointerPath(instancePath, object);
  const value = shortJson(data);
  switch (keyword) {
    case 'additionalProperties': {
      const name = String(params.additionalProperty);
      const known = Object.keys((parentSchema?.properties ?? {}) as object);
      const meant = closest(name, known);
      const fields = known.length <= 12 ? known.join(', ') : `${known.slice(0, 12).join(', ')} and others`;
      return {
        rule: 'schema-unknown-field',
        path: [...path, name],
        message: `there is no such field.${meant === undefined ? '' : ` Did you mean ${meant}?`}`,
        remedy: meant === undefined ? `Remove it. The fields here are: ${fields}.` : `Write ${meant}, or remove it.`,
      };
    }
    case 'required': {
      const name = String(params.missingProperty);
      return { rule: 'schema-required', path, message: `${name} is missing.`, remedy: `Add ${name}.` };
    }
    case 'type': {
      const types = [params.type].flat();
      const wanted = types.map((type) => typeNames[type] ?? type).join(' or ');
      const message = `${value} is ${typeOf(data)}, and ${wanted} is wanted.`;
      return { rule: 'schema-type', path, message, remedy: typeRemedy(data, types) };
    }
    case 'enum': {
      const allowed = (params.allowedValues as unknown[]).map(String);
      const meant = typeof data === 'string' ? closest(data, allowed) : undefined;
      const remedy = meant === undefined ? 'Write one of these.' : `Did you mean ${meant}?`;
      return { rule: 'schema-value', path, message: `${value} is not one of ${allowed.join(', ')}.`, remedy };
    }
    case 'pattern': {
      const remedy = 'Correct the value: a quantity is a number with a unit such as m, Mi or Gi.';
      return {
        rule: 'schema-value',
        path,
        message: `${value} is not written as it must be (${params.pattern}).`,
        remedy,
      };
    }
    default: {
      const message = `${value} must be ${keyword} ${JSON.stringify(params.limit ?? params)}.`;
      return { rule: 'schema-value', path, message, remedy: 'Correct the value.' };
    }
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

function shortJson(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** `/spec/ports/0/name` as a path, with the numbers of lists as numbers. */
function pointerPath(pointer: string, object: unknown): FieldPath {
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
