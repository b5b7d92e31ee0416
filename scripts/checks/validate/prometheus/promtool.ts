import type { Output } from '../../../lib/exec.ts';
import type { Finding, Tools } from '../../../repository/rendering/finding.ts';
import type { Embedded } from '../../../repository/rendering/manifests.ts';

/** Runs promtool, and returns what it says, whatever its exit code. */
export type Promtool = (args: readonly string[], input?: string) => Promise<Output>;

/** @throws the toolbox's `UsageError` where promtool can't be had. */
export async function findPromtool(tools: Tools): Promise<Promtool> {
  const { path } = await tools.find('promtool');
  return (args, input) =>
    tools.exec([path, ...args], { nothrow: true, timeout: 60_000, ...(input !== undefined && { input }) });
}

/** @returns what promtool complains of in a file that a ConfigMap carries, and that lay in `folder`. */
export function complaints({ file, key, text, line }: Embedded, rule: string, output: Output, folder = ''): Finding[] {
  return promtoolErrors(output, text, folder).map((complaint) => ({
    rule,
    file,
    line: line(complaint.line ?? 1),
    message: `${key}: ${complaint.message}.`,
    remedy: 'Correct it: prometheus.io/docs/prometheus/latest/configuration says what can stand there.',
  }));
}

/** One thing that promtool found. */
interface PromtoolError {
  /** Of the checked file, from 1; undefined where promtool doesn't say, and its words name nothing in the file. */
  line?: number | undefined;
  message: string;
}

/**
 * What promtool complains of in one file, told from its output; `text` is what is in the file, `folder` where it lay if it was
 * not its input. Empty where it is content. Its forms: `line 3: field x not found`, `7:15: group "g", rule 2, "r": ...`, and
 * sentences without a place.
 */
export function promtoolErrors({ exitCode, stdout, stderr }: Output, text: string, folder = ''): PromtoolError[] {
  if (exitCode === 0) return [];
  const twice = [...stderr.matchAll(/^Metric: (.*)$/gm)].map((match) => match[1] ?? '');
  if (/lint error.*duplicate rule/.test(stderr) && twice.length > 0)
    return twice.map((name) => ({ line: lineOf(`"${name}"`, text), message: `the rule ${name} is there twice` }));
  const lines = `${stderr}\n${stdout}`
    .split('\n')
    .map((line) => (folder === '' ? line : line.replaceAll(`${folder}/`, '')).trim())
    .map((line) => line.replace(/^(FAILED:|\[error\])\s*/, '').replace(/^parsing YAML file \S+: /, ''))
    .map((line) => line.replace(/^yaml: (?=line)/, ''))
    .filter((line) => line !== '' && !/^(Checking |SUCCESS|time=|(yaml: )?unmarshal errors:$)/.test(line));
  if (lines.length === 0) return [{ message: `promtool ended with exit code ${exitCode}` }];
  return lines.map((line) => ({
    line: lineOf(line, text),
    message: line.replace(/^line \d+: |^\d+:\d+: /, '').replace(/[.:,]+$/, ''),
  }));
}

function lineOf(complaint: string, text: string): number | undefined {
  const [, stated] = /^line (\d+):/.exec(complaint) ?? /^(\d+):\d+: /.exec(complaint) ?? [];
  if (stated !== undefined) return Number(stated);
  // The last name in quotes is the innermost: the rule of a group, the job of a configuration.
  const names = [...complaint.matchAll(/"([^"]+)"/g)].map((match) => match[1] ?? '');
  const source = text.split('\n');
  for (const name of names.reverse()) {
    const index = source.findLastIndex(
      (each) => /^\s*(- )?(record|alert|name|job_name):/.test(each) && each.includes(name),
    );
    if (index >= 0) return index + 1;
  }
  return undefined;
}
