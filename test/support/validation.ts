import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { findingLines } from '../../scripts/checks/validate/print.ts';
import type { ValidationResult } from '../../scripts/checks/validate/run.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import { createContext } from '../../scripts/context.ts';
import type { Exec, Output } from '../../scripts/lib/exec.ts';
import type { Tools } from '../../scripts/repository/rendering/finding.ts';
import { openRepository } from '../../scripts/repository/rendering/repository.ts';
import { root } from './helm.ts';

const { exec, toolbox } = createContext(loadConfig(root), { signal: new AbortController().signal, offline: true });
const answers = new Map<string, Promise<Output>>();
const once = (key: string, ask: () => Promise<Output>) => {
  const answer = answers.get(key) ?? ask();
  answers.set(key, answer);
  return answer;
};

/**
 * Asks a program once for the same input. promtool takes seconds for unit tests: they are run again only where their file
 * changed, or a file of rules that it is about.
 */
const rememberingExec: Exec = async (command, options = {}) => {
  const [, verb, what, file = ''] = command;
  if (verb === 'test' && what === 'rules') return once(unitTests(file), () => exec(command, options));
  if (options.input === undefined) return exec(command, options);
  return once(`${command.join(' ')}\n${options.input}`, () => exec(command, options));
};

function unitTests(file: string): string {
  const text = readFileSync(file, 'utf8');
  const { rule_files: rules = [] } = parse(text) as { rule_files?: string[] };
  return [text, ...rules.map((rule) => readFileSync(join(dirname(file), rule), 'utf8'))].join('\0');
}

/** What validation runs, as on this machine. */
export const tools: Tools = { exec: rememberingExec, find: (name) => toolbox.find(name) };

/** The manifests as they are: each is read, and each chart rendered, once for all tests. */
export const unedited = openRepository(root, tools);

/** @returns what was found, as npm run validate prints it. */
export function foundLines(outcomes: readonly ValidationResult[]): string {
  return outcomes.flatMap(({ findings }) => findings.flatMap(findingLines)).join('\n');
}

/** @returns why a check could not be run: a machine without a tool skips what needs it. */
export function whyNotChecked(outcomes: readonly ValidationResult[]): string | undefined {
  return outcomes.find(({ notChecked }) => notChecked)?.notChecked?.reason;
}
