/** One thing that is wrong, in words that a person can act on. */
export interface Finding {
  /** Kebab-case; each stands in the `rules` of the check that made it. */
  rule: string;
  /** Relative to the top of the repository, with `/`. */
  file: string;
  /** From 1. */
  line?: number;
  /** One sentence: what was found, and what is wanted. */
  message: string;
  /** What to do about it. */
  remedy: string;
  /**
   * With which values files the chart was rendered. The runner makes one finding of those that are alike in all else.
   */
  renderings?: readonly string[];
  /** Puts it right in the file. Only where there is one right answer for certain. */
  fix?: () => Promise<void>;
}

/** Those that differ in nothing but the rendering are one, with all their renderings; sorted by file and line. */
export function merge(findings: readonly Finding[]): Finding[] {
  const merged = new Map<string, Finding>();
  for (const finding of findings) {
    const key = JSON.stringify([finding.rule, finding.file, finding.line, finding.message]);
    const known = merged.get(key);
    if (known === undefined) merged.set(key, finding);
    else merged.set(key, { ...known, ...joined(known, finding) });
  }
  return [...merged.values()].sort((a, b) => compare(a.file, b.file) || (a.line ?? 0) - (b.line ?? 0));
}

function joined(a: Finding, b: Finding): Pick<Finding, 'renderings'> {
  const renderings = [...new Set([...(a.renderings ?? []), ...(b.renderings ?? [])])];
  return renderings.length === 0 ? {} : { renderings };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
