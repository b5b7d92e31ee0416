import { dirname } from 'node:path/posix';
import { generate, readKustomization } from '../../kubernetes/kustomization.ts';
import { messageOf } from '../../lib/errors.ts';
import { readYaml, type YamlDocument } from '../yaml-file.ts';
import type { Finding } from './finding.ts';
import type { FieldPath, Located } from './located.ts';
import { syntaxFault } from './manifest.ts';
import type { Repository } from './repository.ts';

export const kustomizationRules = {
  'kustomization-field': 'A kustomization.yaml has only what the scripts do just as kubectl apply -k does it.',
  'kustomization-file': 'Every file that a kustomization.yaml names exists.',
  'kustomization-left-out':
    'Every manifest beside a kustomization.yaml is named in it, and every file of a folder that it takes files from.',
};

/** What a folder with a kustomization.yaml becomes. */
export interface Kustomized {
  /** The ConfigMaps that are made of files. */
  objects: Located[];
  faults: Finding[];
  /** The files that are carried in those, relative to the root. They are no manifests. */
  carried: string[];
}

/** Reads a kustomization.yaml, given relative to the root, with what it names. `others` are the files that may be left out. */
export async function readKustomized(repository: Repository, file: string, others: RegExp): Promise<Kustomized> {
  const folder = dirname(file);
  const [document] = readYaml(await repository.text(file));
  if (document === undefined || document.error) {
    return { objects: [], faults: document?.error ? [syntaxFault(file, document.error)] : [], carried: [] };
  }
  const found: Kustomized = { objects: [], faults: [], carried: [] };
  const fault = (rule: keyof typeof kustomizationRules, path: FieldPath, message: string, remedy: string) => {
    const line = document.line(path);
    found.faults.push({ rule, file, ...(line !== undefined && { line }), message, remedy });
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
      found.objects.push({ object, file, carries, line: lineOfGenerated(document, field) });
    }
    const named = new Set([file, ...resources.map(at), ...found.carried]);
    const taken = new Set(found.carried.map((path) => dirname(path)));
    for (const path of there) {
      const isMeant = taken.has(dirname(path)) || (dirname(path) === folder && /\.ya?ml$/.test(path));
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

/** The entry of the generator; nothing of what it makes stands in the file. */
function lineOfGenerated(document: YamlDocument, field: FieldPath): Located['line'] {
  return () => document.line(field);
}
