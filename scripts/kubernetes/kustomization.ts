import { basename } from 'node:path/posix';
import { isRecord } from '../lib/text.ts';
import type { KubeObject } from './objects.ts';

/** What a kustomization.yaml asks for. All paths are relative to its folder. */
export interface Kustomization {
  /** Manifests, in the order in which they are named. */
  resources: string[];
  configMaps: GeneratedConfigMap[];
}

/** A ConfigMap that is made of files. */
export interface GeneratedConfigMap {
  name: string;
  namespace: string;
  labels: Record<string, string>;
  files: { key: string; path: string }[];
}

export const kustomizationFile = 'kustomization.yaml';

/** Bytes that a ConfigMap may hold, which is Kubernetes' limit (MaxSecretSize in its validation). */
export const configMapLimit = 1024 * 1024;

type Fields = Record<string, unknown>;

/**
 * Reads a parsed kustomization.yaml. Only what the scripts can do exactly as `kubectl apply -k` does it is allowed: anything
 * else throws, with a sentence that names the field.
 */
export function readKustomization(value: unknown): Kustomization {
  const { resources = [], configMapGenerator = [], generatorOptions = {}, ...others } = fieldsOf(value, 'The file');
  only(others, ['apiVersion', 'kind'], '');
  const options = fieldsOf(generatorOptions, 'generatorOptions');
  only(options, ['disableNameSuffixHash', 'labels'], 'generatorOptions.');
  const generators = listOf(configMapGenerator, 'configMapGenerator');
  // A hash in the name would follow every change, and leave the ConfigMaps of earlier ones behind.
  if (generators.length > 0 && options.disableNameSuffixHash !== true) {
    throw new Error('generatorOptions.disableNameSuffixHash is not true');
  }
  const labels = fieldsOf(options.labels ?? {}, 'generatorOptions.labels') as Record<string, string>;
  return {
    resources: listOf(resources, 'resources').map(String),
    configMaps: generators.map((generator) => asConfigMap(generator, labels)),
  };
}

function asConfigMap(value: unknown, labels: Record<string, string>): GeneratedConfigMap {
  const generator = fieldsOf(value, 'configMapGenerator');
  only(generator, ['name', 'namespace', 'files'], 'configMapGenerator.');
  const { name, namespace, files = [] } = generator;
  if (typeof name !== 'string' || typeof namespace !== 'string') {
    throw new Error('an entry of configMapGenerator has no name or no namespace');
  }
  return { name, namespace, labels, files: listOf(files, `the files of ${name}`).map(String).map(carried) };
}

/** `KEY=PATH`, or a path whose last part is the key. */
function carried(entry: string): { key: string; path: string } {
  const at = entry.indexOf('=');
  return at < 0 ? { key: basename(entry), path: entry } : { key: entry.slice(0, at), path: entry.slice(at + 1) };
}

/** The object that kustomize makes of it. `contents` are by path. Throws where they are too much for a ConfigMap. */
export function generate(map: GeneratedConfigMap, contents: ReadonlyMap<string, string>): KubeObject {
  const { name, namespace, labels, files } = map;
  const data = Object.fromEntries(files.map(({ key, path }) => [key, contents.get(path) ?? '']));
  const bytes = Object.entries(data).reduce((sum, entry) => sum + Buffer.byteLength(entry.join('')), 0);
  if (bytes > configMapLimit) {
    throw new Error(`the ConfigMap ${name} would hold ${bytes} bytes; Kubernetes takes ${configMapLimit}`);
  }
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels }, data };
}

function only(fields: Fields, allowed: readonly string[], prefix: string): void {
  const unknown = Object.keys(fields).find((field) => !allowed.includes(field));
  if (unknown !== undefined) throw new Error(`${prefix}${unknown} is nothing that the scripts know`);
}

function fieldsOf(value: unknown, what: string): Fields {
  if (!isRecord(value)) throw new Error(`${what} is no map`);
  return value;
}

function listOf(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw new Error(`${what} is no list`);
  return value;
}
