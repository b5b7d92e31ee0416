import { checks } from '../checks/validate/index.ts';
import { findingLines, report, reportJson, ruleList } from '../checks/validate/print.ts';
import { applyFixes, exitCodeOf, type Outcome, runChecks } from '../checks/validate/run.ts';
import { toolsOf } from '../checks/validate/tools.ts';
import { createContext } from '../context.ts';
import { ExitCode } from '../lib/errors.ts';
import type { Tools, ValidationCheck } from '../repository/rendering/finding.ts';
import { openRepository } from '../repository/rendering/repository.ts';
import type { Invocation } from './command.ts';

/** Carries out `npm run validate`. */
export async function runValidate(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, word, signal, print, progressStream } = invocation;
  const chosen = checks.filter(({ name }) => word === undefined || name === word);
  if (flags.rules) {
    print(ruleList(chosen));
    return ExitCode.done;
  }
  const context = createContext(config, {
    signal,
    onDownload: (what) => void progressStream.write(`Fetching ${what}\n`),
  });
  const tools = toolsOf(context);
  let outcomes = await examine(chosen, config.root, tools);
  if (flags.fix) {
    const fixed = await applyFixes(outcomes);
    for (const finding of fixed) progressStream.write(`Fixed:\n${findingLines(finding).join('\n')}\n`);
    if (fixed.length > 0) outcomes = await examine(chosen, config.root, tools);
  }
  print(flags.json ? reportJson(outcomes) : report(outcomes));
  return exitCodeOf(outcomes);
}

function examine(chosen: readonly ValidationCheck[], root: string, tools: Tools): Promise<Outcome[]> {
  return runChecks(chosen, openRepository(root, tools), tools);
}
