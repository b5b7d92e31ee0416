import { readdir, readFile } from 'node:fs/promises';
import type { ErrorObject, ValidateFunction } from 'ajv';
import type { KubeObject } from '../../../kubernetes/objects.ts';

/** What is wrong with an object, as ajv says it; nothing where all is well. `unknown` where the kind has no schema. */
export type SchemaCheck = (object: KubeObject) => readonly ErrorObject[] | 'unknown';

interface SchemaFile {
  $id: string;
  kinds: Record<string, object>;
}

export interface Schemas {
  check: SchemaCheck;
  kinds: readonly string[];
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
  const folder = new URL('.', import.meta.url);
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  const files = await Promise.all(
    names.map(async (name) => JSON.parse(await readFile(new URL(name, folder), 'utf8')) as SchemaFile),
  );
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
