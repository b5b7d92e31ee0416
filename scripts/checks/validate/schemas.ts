import type { ErrorObject } from 'ajv';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { closest } from '../../lib/text.ts';
import { type Finding, findingAt, type Located } from '../../repository/rendering/finding.ts';
import type { ValidationCheck } from '../../repository/rendering/repository.ts';
import type { FieldPath } from '../../repository/yaml.ts';
import { type Fault, findingsAt } from './objects/rule.ts';

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
      return findingsAt(
        located,
        errors.map((error) => explainSchemaError(error, located.object)),
      );
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

let loaded: Promise<Schemas> | undefined;

/** The schemas beside this file, read once. Each kind's is compiled when it is first asked for: compiling is what costs. */
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
  const ajv = new Ajv({ allErrors: true, verbose: true, strict: false, inlineRefs: false });
  const kinds = new Map<string, string>();
  for (const { default: file } of modules) {
    // The schemas are data of this repository, generated: checking them against the meta-schema each time is for nothing.
    ajv.addSchema(file, file.$id, false, false);
    for (const kind of Object.keys(file.kinds)) kinds.set(kind, `${file.$id}#/kinds/${kind.replaceAll('/', '~1')}`);
  }
  return {
    kinds: [...kinds.keys()],
    check(object) {
      const place = kinds.get(`${object.apiVersion}/${object.kind}`);
      // ajv compiles what it is asked for by a name the first time.
      const validate = place === undefined ? undefined : ajv.getSchema(place);
      if (validate === undefined) return 'unknown';
      return validate(object) ? [] : (validate.errors ?? []);
    },
  };
}

/** @returns what a schema's error means: the rule that is broken, where, what was found, and what is wanted. */
export function explainSchemaError(error: ErrorObject, object: unknown): Fault {
  const { keyword, instancePath, params, data, parentSchema } = error;
  const path = pointerPath(instancePath, object);
  const value = shortJson(data);
  switch (keyword) {
    case 'additionalProperties': {
      const name = String(params.additionalProperty);
      const known = Object.keys((parentSchema?.properties ?? {}) as object);
      const meant = closest(name, known);
      const fields = known.length <= 12 ? known.join(', ') : `${known.slice(0, 12).join(', ')} and others`;
      const message = `there is no such field.${meant === undefined ? '' : ` Did you mean ${meant}?`}`;
      const remedy =
        meant === undefined ? `Remove it. The fields here are: ${fields}.` : `Write ${meant}, or remove it.`;
      return ['schema-unknown-field', [...path, name], message, remedy];
    }
    case 'required':
      return ['schema-required', path, `${params.missingProperty} is missing.`, `Add ${params.missingProperty}.`];
    case 'type': {
      const types = [params.type].flat();
      const wanted = types.map((type) => typeNames[type] ?? type).join(' or ');
      return ['schema-type', path, `${value} is ${typeOf(data)}, and ${wanted} is wanted.`, typeRemedy(data, types)];
    }
    case 'enum': {
      const allowed = (params.allowedValues as unknown[]).map(String);
      const meant = typeof data === 'string' ? closest(data, allowed) : undefined;
      const remedy = meant === undefined ? 'Write one of these.' : `Did you mean ${meant}?`;
      return ['schema-value', path, `${value} is not one of ${allowed.join(', ')}.`, remedy];
    }
    case 'pattern': {
      const remedy = 'Correct the value: a quantity is a number with a unit such as m, Mi or Gi.';
      return ['schema-value', path, `${value} is not written as it must be (${params.pattern}).`, remedy];
    }
    default: {
      const message = `${value} must be ${keyword} ${JSON.stringify(params.limit ?? params)}.`;
      return ['schema-value', path, message, 'Correct the value.'];
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
