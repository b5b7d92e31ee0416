import type { Output } from '../../../lib/exec.ts';

/** One thing that promtool found. */
export interface Complaint {
  /** Of the checked file, from 1; undefined where promtool doesn't say, and its words name nothing in the file. */
  line?: number;
  message: string;
}

/**
 * What promtool complains of in one file, told from its output; `folder` is where the file lay, `text` what is in it.
 * Empty where it is content. Its forms: `line 3: field x not found`, `file.yml: 7:15: group "g", rule 2, "r": ...`, and
 * sentences without a place.
 */
export function complaints({ exitCode, stdout, stderr }: Output, folder: string, text: string): Complaint[] {
  if (exitCode === 0) return [];
  const twice = [...stderr.matchAll(/^Metric: (.*)$/gm)].map((match) => match[1] ?? '');
  if (/lint error.*duplicate rule/.test(stderr) && twice.length > 0) {
    return twice.map((name) => ({ ...placeOf(`"${name}"`, text), message: `the rule ${name} is there twice` }));
  }
  const lines = `${stderr}\n${stdout}`
    .split('\n')
    .map((line) => line.replaceAll(`${folder}/`, '').trim())
    .filter((line) => line !== '' && !/^(Checking |SUCCESS)/.test(line))
    .map((line) => line.replace(/^(FAILED:|\[error\])\s*/, '').replace(/^parsing YAML file \S+: /, ''))
    .map((line) => line.replace(/^\S+\.ya?ml: /, '').replace(/^yaml: (?=line)/, ''))
    .filter((line) => line !== '' && !/^(yaml: )?unmarshal errors:$/.test(line));
  const found = lines.map((line) => ({ ...placeOf(line, text), message: sentence(line) }));
  return found.length > 0 ? found : [{ message: `promtool ended with exit code ${exitCode}` }];
}

function placeOf(line: string, text: string): { line?: number } {
  const [, stated] = /^line (\d+):/.exec(line) ?? /^(\d+):\d+: /.exec(line) ?? [];
  if (stated !== undefined) return { line: Number(stated) };
  // The last name in quotes is the innermost: the rule of a group, the job of a configuration.
  const names = [...line.matchAll(/"([^"]+)"/g)].map((match) => match[1] ?? '');
  const source = text.split('\n');
  for (const name of names.reverse()) {
    const index = source.findLastIndex(
      (each) => /^\s*(- )?(record|alert|name|job_name):/.test(each) && each.includes(name),
    );
    if (index >= 0) return { line: index + 1 };
  }
  return {};
}

function sentence(line: string): string {
  return line.replace(/^line \d+: |^\d+:\d+: /, '').replace(/[.:,]+$/, '');
}
