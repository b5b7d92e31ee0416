import type { KubeObject } from '../../kubernetes/objects.ts';
import type { ToolName } from '../../kubernetes/tools/specs.ts';
import type { Tool } from '../../kubernetes/tools/toolbox.ts';
import type { Exec } from '../../lib/exec.ts';
import type { FieldPath } from '../yaml.ts';

/** One thing that is wrong, in words that a person can act on. */
export interface Finding {
  /** Kebab-case; each stands in the `rules` of the check that made it. */
  rule: string;
  /** Relative to the top of the repository, with `/`. */
  file: string;
  /** From 1. */
  line?: number | undefined;
  /** One sentence: what was found, and what is wanted. */
  message: string;
  /** What to do about it. */
  remedy: string;
  /**
   * With which values files the chart was rendered. The runner makes one finding of those that are alike in all else.
   */
  renderings?: readonly string[];
  /** Puts it right in the file. Only where there is one right answer for certain. */
  fix?: (() => Promise<void>) | undefined;
}

/** Those that differ in nothing but the rendering are one, with all their renderings; sorted by file and line. */
export function mergeFindings(findings: readonly Finding[]): Finding[] {
  const merged = new Map<string, Finding>();
  for (const finding of findings) {
    const key = JSON.stringify([finding.rule, finding.file, finding.line, finding.message]);
    const known = merged.get(key);
    if (known === undefined) merged.set(key, finding);
    else merged.set(key, { ...known, ...joinedRenderings(known, finding) });
  }
  return [...merged.values()].sort((a, b) => compare(a.file, b.file) || (a.line ?? 0) - (b.line ?? 0));
}

function joinedRenderings(a: Finding, b: Finding): Pick<Finding, 'renderings'> {
  const renderings = [...new Set([...(a.renderings ?? []), ...(b.renderings ?? [])])];
  return renderings.length === 0 ? {} : { renderings };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** An object, and where it comes from. */
export interface Located {
  object: KubeObject;
  /** The manifest, or the template that rendered it; relative to the top of the repository. */
  file: string;
  rendering?: {
    chart: string;
    /** The namespace that it is deployed into. */
    namespace: string;
    /** The values file on top: `values.yaml` alone, or an overlay. */
    values: string;
  };
  /** For a ConfigMap that is made of files: by key, the file, relative to the top of the repository. */
  carries?: ReadonlyMap<string, string>;
  /** The line of a field, or of the nearest one around it. Nobody can say it of what a template rendered. */
  line(path: FieldPath): number | undefined;
}

/** The finding about a field of an object. The object and the field are put before `message`, the rendering is added. */
export function findingAt(located: Located, rule: string, path: FieldPath, message: string, remedy: string): Finding {
  const { object, file, rendering } = located;
  const field = path.length === 0 ? '' : `, ${fieldName(path)}`;
  return {
    rule,
    file,
    line: located.line(path),
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

/** How a check runs other programs. */
export interface Tools {
  exec: Exec;
  /** Throws `UsageError` where the tool can't be had: the runner then reports the check as not checked. */
  find(name: ToolName): Promise<Tool>;
}
