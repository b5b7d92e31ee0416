import { findingLines, formatValidation, ruleList, validationJson } from '../checks/validate/print.ts';
import {
  applyFixes,
  limitedTools,
  runValidation,
  type ValidationResult,
  validationChecks,
  validationExitCode,
} from '../checks/validate/run.ts';
import { createContext } from '../context.ts';
import { ExitCode } from '../lib/errors.ts';
import type { Tools, ValidationCheck } from '../repository/rendering/finding.ts';
import { openRepository } from '../repository/rendering/repository.ts';
import type { Invocation } from './command.ts';

/** Carries out `npm run validate`. */
export async function runValidate(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, word, signal, print, progressStream } = invocation;
  const chosen = validationChecks.filter(({ name }) => word === undefined || name === word);
  if (flags.rules) {
    print(ruleList(chosen));
    return ExitCode.done;
  }
  const context = createContext(config, {
    signal,
    onDownload: (what) => void progressStream.write(`Fetching ${what}\n`),
  });
  const tools = limitedTools(context);
  let outcomes = await examine(chosen, config.root, tools);
  if (flags.fix) {
    const fixed = await applyFixes(outcomes);
    for (const finding of fixed) progressStream.write(`Fixed:\n${findingLines(finding).join('\n')}\n`);
    if (fixed.length > 0) outcomes = await examine(chosen, config.root, tools);
  }
  print(flags.json ? validationJson(outcomes) : formatValidation(outcomes));
  return validationExitCode(outcomes);
}

function examine(chosen: readonly ValidationCheck[], root: string, tools: Tools): Promise<ValidationResult[]> {
  return runValidation(chosen, openRepository(root, tools), tools);
}
