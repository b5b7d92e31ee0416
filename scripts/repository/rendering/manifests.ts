import { dirname } from 'node:path/posix';
import { generate, readKustomization } from '../../kubernetes/kustomization.ts';
import { missingIn, objectsAt } from '../../kubernetes/objects.ts';
import { messageOf } from '../../lib/errors.ts';
import { type FieldPath, readYaml } from '../yaml.ts';
import type { Finding, Located } from './finding.ts';

/** The files of a checkout, or of a copy of it, and what their manifests hold. */
export interface RepositoryFiles {
  /**
   * The objects of argocd/, observability/, ingress/ and cluster/, with the ConfigMaps that are made of files there. What
   * can't be read is in `faults`.
   */
  manifests(): Promise<Located[]>;
  /** A file's text; `file` is relative to the root. Empty where it can't be read. Throws a `UserError` where it doesn't exist. */
  text(file: string): Promise<string>;
  /** The files below a folder of the repository, relative to the root, sorted. Empty where it doesn't exist. */
  files(folder: string): Promise<string[]>;
}

export interface Manifest {
  objects: Located[];
  faults: Finding[];
}

/** The objects of a YAML file, each with the lines of its fields, and what is wrong with the rest. Never throws. */
export function readManifest(text: string, file: string, rendering?: Located['rendering']): Manifest {
  const manifest: Manifest = { objects: [], faults: [] };
  for (const document of readYaml(text)) {
    if (document.error !== undefined) {
      manifest.faults.push(syntaxFault(file, document.error));
      continue;
    }
    for (const { object, path } of objectsAt(document.value)) {
      const missing = missingIn(object);
      if (missing !== undefined) {
        const message = `This document is no Kubernetes object: it has no ${missing}.`;
        const remedy = `Add ${missing}, or remove the document.`;
        manifest.faults.push({ rule: 'yaml-object', file, line: document.line(path), message, remedy });
      } else if (rendering) manifest.objects.push({ object, file, rendering, line: () => undefined });
      else manifest.objects.push({ object, file, line: (field) => document.line([...path, ...field]) });
    }
  }
  return manifest;
}

/** The finding about a mistake in a file's YAML. */
export function syntaxFault(file: string, { line, message }: { line: number; message: string }): Finding {
  return {
    rule: 'yaml-syntax',
    file,
    line,
    message: `This is not valid YAML: ${message}.`,
    remedy: 'Correct the line.',
  };
}

export const kustomizationRules = {
  'kustomization-field': 'A kustomization.yaml has only what the scripts do just as kubectl apply -k does it.',
  'kustomization-file': 'Every file that a kustomization.yaml names exists.',
  'kustomization-left-out':
    'Every manifest beside a kustomization.yaml is named in it, and every file of a folder that it takes files from.',
};

/** What a folder with a kustomization.yaml becomes. */
interface LocatedKustomization {
  /** The ConfigMaps that are made of files. */
  objects: Located[];
  faults: Finding[];
  /** The files that are carried in those, relative to the root. They are no manifests. */
  carried: string[];
}

/** Reads a kustomization.yaml, given relative to the root, with what it names. `others` are the files that may be left out. */
export async function locateKustomized(
  repository: RepositoryFiles,
  file: string,
  others: RegExp,
): Promise<LocatedKustomization> {
  const folder = dirname(file);
  const [document] = readYaml(await repository.text(file));
  if (document === undefined || document.error) {
    return { objects: [], faults: document?.error ? [syntaxFault(file, document.error)] : [], carried: [] };
  }
  const found: LocatedKustomization = { objects: [], faults: [], carried: [] };
  const fault = (rule: keyof typeof kustomizationRules, path: FieldPath, message: string, remedy: string) => {
    found.faults.push({ rule, file, line: document.line(path), message, remedy });
  };
  try {
    const { resources, configMaps } = readKustomization(document.value);
    const there = new Set(await repository.files(folder));
    const at = (path: string) => `${folder}/${path}`;
    const missing = (path: string, field: FieldPath) => {
      if (there.has(at(path))) return false;
      fault(
        'kustomization-file',
        field,
        `It names ${path}, which does not exist.`,
        'Correct the name, or take it out.',
      );
      return true;
    };
    for (const [index, path] of resources.entries()) missing(path, ['resources', index]);
    for (const [index, map] of configMaps.entries()) {
      const field = ['configMapGenerator', index];
      const files = map.files.filter(({ path }, each) => !missing(path, [...field, 'files', each]));
      const texts = files.map(async ({ path }) => [path, await repository.text(at(path))] as const);
      const object = generate({ ...map, files }, new Map(await Promise.all(texts)));
      const carries = new Map(files.map(({ key, path }) => [key, at(path)]));
      found.carried.push(...carries.values());
      // Nothing of what it makes stands in the file, but for the entry of the generator.
      found.objects.push({ object, file, carries, line: () => document.line(field) });
    }
    const named = new Set([file, ...resources.map(at), ...found.carried]);
    const taken = new Set(found.carried.map((path) => `${dirname(path)}/`));
    const isBeside = (path: string) => [...taken].some((one) => one !== `${folder}/` && path.startsWith(one));
    for (const path of there) {
      const isMeant = isBeside(path) || (dirname(path) === folder && /\.ya?ml$/.test(path));
      if (!isMeant || named.has(path) || others.test(path)) continue;
      const message = `It does not name ${path.slice(folder.length + 1)}, so the cluster does not get it.`;
      fault('kustomization-left-out', [], message, 'Name it under resources, or under the files of a ConfigMap.');
    }
  } catch (error) {
    const remedy = 'Take it out, or teach it to scripts/kubernetes/kustomization.ts.';
    fault('kustomization-field', [], `The scripts can't apply this: ${messageOf(error)}.`, remedy);
  }
  return found;
}

/** A file that a ConfigMap carries. */
export interface Embedded {
  configMap: Located;
  /** The key of the ConfigMap: the name of the file where it is mounted. */
  key: string;
  text: string;
  /** The file itself, or the manifest that it is written into; relative to the root. */
  file: string;
  /** Where in that the carried file's line `n` stands, from 1. */
  line(n: number): number | undefined;
}

/** Every text in the ConfigMaps of the manifests below a folder, in their order. */
export async function embeddedTexts(repository: RepositoryFiles, folder: string): Promise<Embedded[]> {
  const manifests = await repository.manifests();
  const configMaps = manifests.filter(({ object, file }) => object.kind === 'ConfigMap' && file.startsWith(folder));
  const found = configMaps.map(async (configMap) => {
    const { object, file, carries } = configMap;
    const source = carries ? [] : (await repository.text(file)).split('\n');
    return Object.entries((object.data ?? {}) as Record<string, unknown>).map(([key, text]): Embedded => {
      const carried = carries?.get(key);
      const line = (n: number) => (carried ? n : embeddedLine(source, configMap.line(['data', key]), n));
      return { configMap, key, text: String(text), file: carried ?? file, line };
    });
  });
  return (await Promise.all(found)).flat();
}

/**
 * The line of a manifest that holds line `n` of a text whose key stands on `keyLine`; all from 1. Only a literal block
 * (`|`) keeps its lines: of any other text the key's line is all that can be said.
 */
export function embeddedLine(source: readonly string[], keyLine: number | undefined, n: number): number | undefined {
  if (keyLine === undefined) return undefined;
  const isBlock = /:\s*\|[-+0-9]*\s*(#.*)?$/.test(source[keyLine - 1] ?? '');
  return isBlock ? keyLine + n : keyLine;
}
