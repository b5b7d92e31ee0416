import { join } from 'node:path';
import { missingIn, objectsAt } from '../../kubernetes/objects.ts';
import { writeWhole } from '../../lib/files.ts';
import { generate, generatedEdits, isSource, monitoringFolder } from '../generated/monitoring.ts';
import { readYaml } from '../yaml.ts';
import type { Finding, Located } from './finding.ts';

/** The files of a checkout, or of a copy of it, and what their manifests hold. */
export interface RepositoryFiles {
  /**
   * The objects of argocd/, observability/, ingress/, cluster/ and docs/production/, with the ConfigMaps that are made of files there. What
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

export const generatedRules = {
  'generated-file': 'A manifest that is made of other files says what those say: npm run validate -- --fix.',
  'config-map-size': 'A ConfigMap that is made of files is short enough for kubectl apply.',
  'source-left-out': 'Every file of a folder config/ or dashboards/ of observability/ is carried by a ConfigMap.',
};

/** What the manifests contain that are made of other files, each with the file that it comes from. */
interface LocatedGenerated {
  /** The ConfigMaps, as their sources have them. */
  objects: Located[];
  faults: Finding[];
  /** Those manifests, which need not be read. */
  files: string[];
}

/** Kubernetes allows so many bytes of annotations, and `kubectl apply` keeps the whole object in one (TotalAnnotationSizeLimitB). */
const annotationLimit = 256 * 1024;

/** Makes the manifests that are made of other files, and compares them with what they are. */
export async function locateGenerated(repository: RepositoryFiles, root: string): Promise<LocatedGenerated> {
  const files = await repository.files(monitoringFolder);
  const read = (file: string) => repository.text(file);
  const generated = await generate(files, read);
  const faults = (await generatedEdits(files, read)).map(({ file, before, after }): Finding => {
    const [is, wanted] = [(before ?? '').split('\n'), after.split('\n')];
    const line = before === undefined ? undefined : wanted.findIndex((each, index) => each !== is[index]) + 1;
    const message = before === undefined ? 'It is missing.' : 'It does not say what its sources say.';
    const fix = async () => writeWhole(join(root, file), after);
    return { rule: 'generated-file', file, line, message, remedy: 'npm run validate -- --fix writes it.', fix };
  });
  const objects = generated.flatMap(({ file, configMaps }) =>
    // Its texts are found in the files that they come from.
    configMaps.map(({ object, carries }): Located => ({ object, file, carries, line: () => 1 })),
  );
  for (const { object, file } of objects) {
    const bytes = Buffer.byteLength(JSON.stringify(object));
    if (bytes < annotationLimit) continue;
    const message = `ConfigMap ${object.metadata.name} has ${bytes} bytes, and kubectl apply takes ${annotationLimit}.`;
    faults.push({ rule: 'config-map-size', file, message, remedy: 'Shorten what it is made of.' });
  }
  for (const file of files) {
    if (isSource(file) || !/^observability\/[^/]+\/(config|dashboards)\/(?!tests\/)/.test(file)) continue;
    const remedy = 'Name it like the others there, move it, or remove it.';
    faults.push({ rule: 'source-left-out', file, message: 'No ConfigMap carries it.', remedy });
  }
  return { objects, faults, files: generated.map(({ file }) => file) };
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
