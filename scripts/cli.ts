import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commands, findCommand } from './commands/index.ts';
import { ExitCode, Interrupted, messageOf, UsageError, UserError } from './lib/errors.ts';
import { npmFlagsOf, readArguments } from './lib/terminal/args.ts';
import { commandList, helpPage } from './lib/terminal/help.ts';
import { outputWritten, watchOutput } from './lib/terminal/output.ts';
import { closest } from './lib/text.ts';

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const [name = '', ...argv] = process.argv.slice(2);
/** What a failure ends with, unless the command has another code for it. */
let failure: ExitCode = ExitCode.failed;
/** How to go on after an interruption. */
let afterwards = '';
/** Whether the command is done, and its output is what is waited for. */
let done = false;

async function main(): Promise<ExitCode> {
  const code = await run();
  done = true;
  await outputWritten();
  return code;
}

async function run(): Promise<ExitCode> {
  if (name === '' || name === '--help' || name === 'help') {
    process.stdout.write(commandList(commands));
    return ExitCode.done;
  }
  const command = await findCommand(name);
  if (!command) {
    const meant = closest(
      name,
      commands.map((one) => one.name),
    );
    throw new UsageError(`There is no command ${name}.`, meant ? `Did you mean ${meant}?` : 'npm run lists them.');
  }
  failure = command.failure ?? failure;
  afterwards = command.interrupted ?? '';
  const { flags, word, operands, help } = readArguments(command, argv, npmFlagsOf(process.env));
  if (help) {
    process.stdout.write(helpPage(command));
    return ExitCode.done;
  }
  const [{ loadConfig, withIgnoredChecks }, { cacheParsed }] = await Promise.all([
    import('./config/config.ts'),
    import('./lib/yaml-cache.ts'),
  ]);
  cacheParsed(join(root, 'node_modules', '.cache', 'platform-ops', 'parsed.json'));
  return command.run({
    config: withIgnoredChecks(loadConfig(root), flags['ignore-checks']),
    flags,
    word,
    operands,
    signal: interruption(),
    print: (text) => void process.stdout.write(`${text}\n`),
    progressStream: process.stderr,
  });
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
  return readFileSync(join(root, troubleshootingPage), 'utf8').includes(`\n### ${id}\n`);
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
  if (['ENOSPC', 'EDQUOT', 'EROFS'].includes((error as NodeJS.ErrnoException)?.code ?? '')) {
    console.error(`\n✖ A file could not be written: ${messageOf(error)}`);
    console.error(
      '  → Make room (df -h), or make it writable, and run the command again: it goes on where it stopped.',
    );
    console.error(`  ${troubleshootingPage}#disk-full`);
    return failure;
  }
  console.error(
    '\n✖ This is a bug in platform-ops. Please report it with the lines below, at the address that package.json names.',
  );
  console.error(error);
  return failure;
}

// A reader that has seen enough, as in `npm run status | head`, or a terminal that was closed, is no failure: what is
// being done is done to its end, and the exit code is that of the command.
watchOutput();
const code = await main().catch(report);
// What `report` said. It has told already what could not be written.
await outputWritten().catch(() => {});
// Kept-alive connections would hold the process open, and everything that it waits for is awaited.
process.exit(code);
