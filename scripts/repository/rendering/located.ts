import type { KubeObject } from '../../kubernetes/objects.ts';
import type { Finding } from './finding.ts';

export type FieldPath = readonly (string | number)[];

/** An object, and where it comes from. */
export interface Located {
  object: KubeObject;
  /** The manifest, or the template that rendered it; relative to the top of the repository. */
  file: string;
  rendering?: {
    chart: string;
    /** The values file on top: `values.yaml` alone, or an overlay. */
    values: string;
  };
  /** For a ConfigMap that a kustomization.yaml makes of files: by key, the file, relative to the top of the repository. */
  carries?: ReadonlyMap<string, string>;
  /** The line of a field, or of the nearest one around it. Nobody can say it of what a template rendered. */
  line(path: FieldPath): number | undefined;
}

/** The finding about a field of an object. The object and the field are put before `message`, the rendering is added. */
export function findingAt(located: Located, rule: string, path: FieldPath, message: string, remedy: string): Finding {
  const { object, file, rendering } = located;
  const line = located.line(path);
  const field = path.length === 0 ? '' : `, ${fieldName(path)}`;
  return {
    rule,
    file,
    ...(line !== undefined && { line }),
    message: `${object.kind} ${object.metadata?.name ?? ''}${field}: ${message}`,
    remedy,
    ...(rendering && { renderings: [rendering.values] }),
  };
}

/** `spec.template.spec.containers[0].image`, as kubectl explain and jsonpath write it. */
export function fieldName(path: FieldPath): string {
  return path
    .map((part) => {
      if (typeof part === 'number') return `[${part}]`;
      return /^[\w-]+$/.test(part) ? `.${part}` : `["${part}"]`;
    })
    .join('')
    .replace(/^\./, '');
}
