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
import type { Tools } from '../repository/rendering/finding.ts';
import { openRepository, type ValidationCheck } from '../repository/rendering/repository.ts';
import type { Command, Invocation } from './command.ts';

export const validateCommand: Command = {
  description: [
    'Renders each chart with each values file and holds what comes out, and every plain manifest, against schemas, the',
    'rules of the platform and each other. Needs helm, kube-score and promtool, which are fetched where they are',
    'missing; no cluster and no Docker. A word chooses a single check. Exit code 0 if nothing was found, 1 if something',
    'was, 2 if a check could not be run.',
  ].join('\n'),
  flags: {
    json: { type: 'boolean', description: 'Print the findings as JSON.' },
    fix: { type: 'boolean', description: 'Fix what has only one right answer, and validate again.' },
    rules: { type: 'boolean', description: 'List all rules, and check nothing.' },
  },
  words: validationChecks.map(({ name }) => name),
  examples: [
    'npm run validate',
    'npm run validate -- policy',
    'npm run validate -- --fix',
    'npm run validate -- --rules',
  ],
  run: runValidate,
};

async function runValidate(invocation: Invocation): Promise<ExitCode> {
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
