// Writes scripts/checks/validate/schemas/*.json, which `npm run validate` reads. Needs Go and the network. Run it after a
// change of a version or of a kind in sources.ts: npm run schemas
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { loadConfig } from '../../../../config/config.ts';
import { createExec } from '../../../../lib/exec.ts';
import { writeWhole } from '../../../../lib/files.ts';
import { addEnumerations, condense, type Schema, special } from './json-schema.ts';
import { customResources, fetchModule, kubernetesKinds, modules } from './sources.ts';

/** A file of schemas: `kinds` leads from `apps/v1/Deployment` to a definition. */
interface SchemaFile {
  sources: string[];
  kinds: Record<string, Schema>;
  definitions: Record<string, Schema>;
}

const root = fileURLToPath(new URL('../../../../..', import.meta.url)).replace(/\/$/, '');
const exec = createExec({ env: loadConfig(root).childEnv, signal: new AbortController().signal });
const metadata = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const reference = /"\$ref":"#\/definitions\/([^"]+)"/g;

async function kubernetes(): Promise<SchemaFile> {
  const folder = await fetchModule(exec, 'kubernetes');
  const { definitions } = JSON.parse(await readFile(join(folder, 'api/openapi-spec/swagger.json'), 'utf8')) as {
    definitions: Record<string, Schema>;
  };
  addEnumerations(definitions, await readFile(join(folder, 'pkg/generated/openapi/zz_generated.openapi.go'), 'utf8'));
  const result: SchemaFile = { sources: [modules.kubernetes], kinds: {}, definitions: {} };
  for (const [name, schema] of Object.entries(definitions)) {
    const [first] = schema['x-kubernetes-group-version-kind'] ?? [];
    if (first === undefined) continue;
    const apiVersion = first.group === '' ? first.version : `${first.group}/${first.version}`;
    if (!kubernetesKinds[apiVersion]?.includes(first.kind)) continue;
    result.kinds[`${apiVersion}/${first.kind}`] = referenceTo(name);
    collect(name, definitions, result.definitions);
  }
  return result;
}

/** Puts a definition and all that it refers to into `collected`. */
function collect(name: string, definitions: Record<string, Schema>, collected: Record<string, Schema>): void {
  if (collected[short(name)] !== undefined) return;
  const schema = special[name] ?? condense(onlyWhatIsWritten(name, definitions[name] ?? {}));
  const text = JSON.stringify(schema);
  const shortened = text.replaceAll(reference, (_, inner: string) => JSON.stringify(referenceTo(inner)).slice(1, -1));
  collected[short(name)] = JSON.parse(shortened) as Schema;
  for (const [, inner = ''] of text.matchAll(reference)) collect(inner, definitions, collected);
}

/** Manifests have no status and none of the fields that the API server keeps; a kind's apiVersion and kind have one value. */
function onlyWhatIsWritten(name: string, schema: Schema): Schema {
  const properties = { ...schema.properties };
  if (name === metadata) delete properties.managedFields;
  const kinds = schema['x-kubernetes-group-version-kind'] ?? [];
  // DeleteOptions belongs to every group, and is none.
  const kind = kinds.length === 1 ? kinds[0] : undefined;
  if (kind !== undefined && properties.status !== undefined) properties.status = { type: 'object' };
  if (kind === undefined) return schema.properties === undefined ? schema : { ...schema, properties };
  const always = ['apiVersion', 'kind', 'metadata', ...(properties.spec && kind.kind !== 'Namespace' ? ['spec'] : [])];
  return { ...schema, properties, required: [...new Set([...(schema.required ?? []), ...always])] };
}

async function custom(): Promise<SchemaFile> {
  const result: SchemaFile = { sources: [], kinds: {}, definitions: {} };
  for (const [name, files] of Object.entries(customResources)) {
    const module = name as keyof typeof customResources;
    const folder = await fetchModule(exec, module);
    result.sources.push(modules[module]);
    for (const file of files) addCustom(parse(await readFile(join(folder, file), 'utf8')), result);
  }
  return result;
}

interface CustomResourceDefinition {
  spec: {
    group: string;
    names: { kind: string };
    versions: { name: string; served: boolean; schema: { openAPIV3Schema: Schema } }[];
  };
}

function addCustom({ spec }: CustomResourceDefinition, result: SchemaFile): void {
  for (const { name, served, schema } of spec.versions) {
    if (!served) continue;
    const { properties = {}, ...rest } = schema.openAPIV3Schema;
    // A sync that is asked for by hand, and what came of it: both are the cluster's.
    for (const field of ['status', 'operation']) if (properties[field]) properties[field] = { type: 'object' };
    properties.metadata = referenceTo(metadata);
    const required = [...new Set([...(rest.required ?? []), 'apiVersion', 'kind'])];
    result.kinds[`${spec.group}/${name}/${spec.names.kind}`] = condense({ ...rest, properties, required });
  }
}

function referenceTo(name: string): Schema {
  return { $ref: `kubernetes.json#/definitions/${short(name)}` };
}

function short(name: string): string {
  return name.replace(/^io\.k8s\.(api|apimachinery\.pkg\.(apis|api|util)|[\w-]+\.pkg\.apis)\./, '');
}

for (const [name, make] of Object.entries({ kubernetes, 'custom-resources': custom })) {
  const file = join(root, 'scripts/checks/validate/schemas', `${name}.json`);
  const { sources, kinds, definitions } = await make();
  const entries = (group: Record<string, Schema>) =>
    Object.keys(group)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${JSON.stringify(group[key])}`)
      .join(',\n');
  // A line for each, so that a new version shows in a diff as what has changed.
  const text = `{"$id":"${name}.json","sources":${JSON.stringify(sources)},\n"kinds":{\n${entries(kinds)}},\n"definitions":{\n${entries(definitions)}}}\n`;
  writeWhole(file, text);
  process.stdout.write(`${file}: ${Object.keys(kinds).length} kinds, ${Math.round(text.length / 1024)} KiB\n`);
}
