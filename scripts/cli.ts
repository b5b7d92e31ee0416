import { setMaxListeners } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { SourceMap, type SourceMapping } from 'node:module';
import { inspect } from 'node:util';
import { commands, findCommand } from './commands/index.ts';
import { accessError, ExitCode, Interrupted, messageOf, UsageError, UserError } from './lib/errors.ts';
import { commandList, helpPage, npmFlagsOf, readArguments, unknownCommand } from './lib/terminal/args.ts';
import { outputWritten, watchOutput } from './lib/terminal/output.ts';

// `pnpm exec platform -- up` passes its dashes on. For its children, a command is the first word, too.
if (process.argv[2] === '--') process.argv.splice(2, 1);
const [name = '', ...argv] = process.argv.slice(2);
/** What a failure ends with, unless the command has another code for it. */
let failure: ExitCode = ExitCode.failed;
/** How to go on after an interruption. */
let afterwards = '';
/** Whether the command is done, and its output is what is waited for. */
let done = false;

/**
 * Runs the command that was typed, in the checkout whose top folder is the current one, and ends the process with its exit code.
 * @param cache a folder for what the next command can use, as long as the sources stay as they are.
 */
export async function main(cache: string): Promise<never> {
  // A reader that has seen enough, as in `npm run status | head`, or a terminal that was closed, is no failure: what is
  // being done is done to its end, and the exit code is that of the command.
  watchOutput();
  process.on('uncaughtException', (error) => process.exit(report(error)));
  const code = await run(cache).catch(report);
  // What `report` said. It has told already what could not be written.
  await outputWritten().catch(() => {});
  // Kept-alive connections would hold the process open, and everything that it waits for is awaited.
  process.exit(code);
}

async function run(cache: string): Promise<ExitCode> {
  const code = await runCommand(cache);
  done = true;
  await outputWritten();
  return code;
}

async function runCommand(cache: string): Promise<ExitCode> {
  const asksForHelp = ['help', '--help', '-h'].includes(name);
  const about = asksForHelp ? (argv[0] ?? '') : name;
  if (about === '') {
    process.stdout.write(commandList(commands));
    return ExitCode.done;
  }
  const command = await findCommand(about);
  if (!command) throw unknownCommand(about, commands);
  failure = command.failure ?? failure;
  afterwards = command.interrupted ?? '';
  const { flags, word, operands, help } = readArguments(
    command,
    asksForHelp ? ['--help'] : argv,
    npmFlagsOf(process.env),
  );
  if (help) {
    process.stdout.write(helpPage(command));
    return ExitCode.done;
  }
  const [{ loadConfig, withIgnoredChecks }, { cacheParsed }] = await Promise.all([
    import('./config/config.ts'),
    import('./lib/yaml-cache.ts'),
  ]);
  cacheParsed(`${cache}/documents.json`);
  const invocation = {
    config: withIgnoredChecks(loadConfig(process.cwd()), flags['ignore-checks']),
    flags,
    word,
    operands,
    signal: interruption(),
    print: (text: string) => void process.stdout.write(`${text}\n`),
    progressStream: process.stderr,
  };
  return command.run(invocation, { commands, findCommand });
}

/** Milliseconds in which a second signal is the same Ctrl-C: the terminal sends it to us, and npm passes its own on. */
const sameKey = 250;

/** Once: everything that runs is ended in order. A second time: at once. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  // Every child and every request listens to it, which is no leak.
  setMaxListeners(0, controller.signal);
  let first: number | undefined;
  for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(event, () => {
      // A reader that takes nothing must not keep anybody waiting.
      if (first === undefined && done) process.exit(ExitCode.interrupted);
      if (first === undefined) {
        first = performance.now();
        if (process.stderr.isTTY) console.error('\nStopping what runs. Ctrl-C again ends it at once.');
        controller.abort();
      } else if (performance.now() - first > sameKey) process.exit(ExitCode.interrupted);
    });
  }
  return controller.signal;
}

const troubleshootingPage = 'docs/troubleshooting.md';

/** Whether the page explains the failures of this id: of the others, the message says all. */
function hasSection(id: string): boolean {
  return existsSync(troubleshootingPage) && readFileSync(troubleshootingPage, 'utf8').includes(`\n### ${id}\n`);
}

function report(error: unknown): ExitCode {
  if (error instanceof Interrupted) {
    console.error(`\nInterrupted. ${afterwards}`.trimEnd());
    return ExitCode.interrupted;
  }
  if (error instanceof UserError) {
    console.error(`\n✖ ${error.message}`);
    if (error.hint !== undefined) console.error(`  → ${error.hint}`);
    for (const id of error.ids.filter(hasSection)) console.error(`  ${troubleshootingPage}#${id}`);
    return error.exitCode === ExitCode.failed ? failure : error.exitCode;
  }
  // Of a package that is imported when it is needed: platform.mjs tells of the others.
  if (/^Cannot find package '/.test(messageOf(error))) {
    const [what = ''] = messageOf(error).split(' imported from ');
    return report(new UsageError(`The packages of this checkout are not all installed: ${what}.`, 'npm ci'));
  }
  const forbidden = accessError(error);
  if (forbidden) return report(forbidden);
  if (['ENOSPC', 'EDQUOT', 'EROFS'].includes((error as NodeJS.ErrnoException)?.code ?? '')) {
    const hint = 'Make room (df -h), or make it writable, and run the command again: it goes on where it stopped.';
    return report(new UserError(`A file could not be written: ${messageOf(error)}`, { id: 'disk-full', hint }));
  }
  console.error(
    '\n✖ This is a bug in platform-ops. Please report it with the lines below, at the address that package.json names.',
  );
  console.error(sourceLines(inspect(error)));
  return failure;
}

/** A stack with the lines of the sources in place of those of the bundle. */
function sourceLines(stack: string): string {
  return stack.replaceAll(/(file:\S+\.mjs):(\d+):(\d+)/g, (place, file: string, line: string, column: string) => {
    try {
      const map = new SourceMap(JSON.parse(readFileSync(new URL(`${file}.map`), 'utf8')));
      const entry = map.findEntry(Number(line) - 1, Number(column) - 1) as SourceMapping;
      const source = entry.originalSource.replace(/^(\.\.\/)+/, '');
      return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
    } catch {
      return place;
    }
  });
}
