import type { KubeObject } from '../../kubernetes/objects.ts';
import { readYaml } from '../yaml-file.ts';
import type { Finding } from './finding.ts';
import type { Located } from './located.ts';

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
    const object = document.value as KubeObject | null;
    if (object === null) continue;
    const missing = missingIn(object);
    if (missing !== undefined) manifest.faults.push(incomplete(file, document.line([]), missing));
    else if (rendering) manifest.objects.push({ object, file, rendering, line: () => undefined });
    else manifest.objects.push({ object, file, line: document.line });
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

function missingIn(object: KubeObject): string | undefined {
  if (typeof object !== 'object' || Array.isArray(object)) return 'apiVersion and kind';
  if (typeof object.apiVersion !== 'string' || object.apiVersion === '') return 'apiVersion';
  if (typeof object.kind !== 'string' || object.kind === '') return 'kind';
  // kind's own configuration has its name at the top.
  const name = object.kind === 'Cluster' ? object.name : object.metadata?.name;
  return typeof name === 'string' && name !== '' ? undefined : 'metadata.name';
}

function incomplete(file: string, line: number | undefined, missing: string): Finding {
  return {
    rule: 'yaml-object',
    file,
    ...(line !== undefined && { line }),
    message: `This document is no Kubernetes object: it has no ${missing}.`,
    remedy: `Add ${missing}, or remove the document.`,
  };
}
