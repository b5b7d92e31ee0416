import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExitCode, UsageError } from '../../scripts/lib/errors.ts';
import { commandList, helpPage, npmFlagsOf, readArguments, type Usage } from '../../scripts/lib/terminal/args.ts';
import { closest, columns } from '../../scripts/lib/text.ts';
import { refusal } from '../support/fakes.ts';

const usage: Usage = {
  name: 'brew',
  summary: 'Make coffee.',
  description: 'Makes coffee, strong.',
  flags: {
    json: { type: 'boolean', description: 'Print as JSON.' },
    timeout: { type: 'seconds', description: 'How long it may take.' },
    cup: { type: 'text', value: 'size', description: 'Which cup to take.' },
  },
  examples: ['npm run brew'],
};
const withWords: Usage = { ...usage, words: ['mild', 'strong'] };

const withOperands: Usage = { ...usage, operands: ['bean', 'spice'] };
const withSeveral: Usage = { ...withWords, severalWords: true };
const withMore: Usage = { ...withWords, more: 'cup' };
const withNames: Usage = {
  ...usage,
  flags: { beans: { type: 'text', description: '', value: 'names', repeated: true, choices: ['a', 'b'] } },
};

const accepted: [Usage, string, object][] = [
  [usage, '', {}],
  [usage, '--json', { flags: { json: true } }],
  [usage, '--timeout=60 --json', { flags: { timeout: 60, json: true } }],
  [usage, '--timeout 60 --timeout=5', { flags: { timeout: 5 } }],
  [usage, '--cup big --cup=small', { flags: { cup: 'small' } }],
  [usage, '-h --json', { help: true }],
  // As pnpm and Yarn pass dashes on.
  [usage, '--json -- --timeout 5', { flags: { json: true, timeout: 5 } }],
  [withWords, 'strong --json', { flags: { json: true }, word: 'strong' }],
  [withOperands, '--help arabica', { help: true }],
  [withOperands, 'arabica --cup big salt', { flags: { cup: 'big' }, operands: ['arabica', 'salt'] }],
  [withSeveral, 'strong mild strong', { operands: ['strong', 'mild'] }],
  [withMore, 'mild red blue red', { word: 'mild', operands: ['red', 'blue'] }],
  // As in 'b, a', which this table can't hold.
  [withNames, '--beans b,\ta --beans=a', { flags: { beans: 'b,a,a' } }],
];
for (const [command, line, expected] of accepted) {
  test(`brew ${line}`, () => {
    const nothing = { flags: {}, word: undefined, operands: [], help: false };
    assert.deepEqual(readArguments(command, line.split(' ').filter(Boolean)), { ...nothing, ...expected });
  });
}

const help = /npm run brew -- --help/;
const refused: [Usage, string, message: RegExp, hint?: RegExp][] = [
  [usage, '--jsn', /unknown option '--jsn'/, /Did you mean --json\?/],
  [usage, '--colour', /unknown option '--colour'/],
  [usage, '--json=yes', /unknown option '--json=yes'/],
  [usage, '--timeout', /'--timeout <seconds>' argument missing/],
  [usage, '--timeout 5m', /--timeout <seconds>.* '5m' .*whole number of seconds/],
  [usage, '--timeout 0', /whole number of seconds/],
  [usage, '--timeout=1.5', /whole number of seconds/],
  [usage, '--cup=', /--cup <size>.* It takes a value/],
  [usage, 'strong', /too many arguments/],
  [withWords, 'weak', /^brew: 'weak' is invalid\. Allowed choices are mild, strong\.$/],
  [withWords, 'mild strong', /too many arguments/],
  [withSeveral, 'strong weak', /'weak' is invalid\. .*mild, strong/],
  [withMore, 'red', /'red' is invalid/],
  [withOperands, 'arabica', /missing required argument 'spice'/],
  [withNames, '--beans a,toString', /'a,toString' is invalid\. Allowed names are a, b\./],
];
for (const [command, line, message, hint = help] of refused) {
  test(`brew ${line} is refused with the right form`, async () => {
    const { error } = await refusal(() => readArguments(command, line.split(' ')));
    assert(error instanceof UsageError);
    assert.match(error.message, message);
    assert.match(error.hint ?? '', hint);
  });
}

/** What npm kept of the flags, and left to be typed. */
const keptFlags: [what: string, environment: Record<string, string>, argv: string[], flags: object][] = [
  ['a flag', { npm_config_json: 'true' }, [], { json: true }],
  ['a number', { npm_config_timeout: '60' }, [], { timeout: 60 }],
  ['what was typed for us counts more', { npm_config_timeout: '60' }, ['--timeout', '5'], { timeout: 5 }],
  ['a text', { npm_config_cup: 'big' }, [], { cup: 'big' }],
  ['nothing turned off or empty', { npm_config_json: 'false', npm_config_timeout: '' }, [], {}],
  ['nothing that only looks alike', { json: 'true', npm_json: 'true' }, [], {}],
];
for (const [what, environment, argv, flags] of keptFlags) {
  test(`of what npm kept for itself, ${what}`, () =>
    assert.deepEqual(readArguments(usage, argv, npmFlagsOf(environment)).flags, flags));
}

test('a value that npm tore off its flag is answered with the right form', async () => {
  for (const [name, form] of Object.entries({ timeout: '<seconds>', cup: '<size>' })) {
    const { text } = await refusal(() => readArguments(usage, ['60'], { [name]: 'true' }));
    assert.match(text, new RegExp(`npm kept --${name} .*\n.*npm run brew -- --${name} ${form}`));
  }
});

test('npm writes --dry-run with a low line, and --verbose as a log level of its own', () => {
  assert.deepEqual(npmFlagsOf({ npm_config_dry_run: 'true', NODE_ENV: 'x' }), { 'dry-run': 'true' });
  assert.equal(npmFlagsOf({ npm_config_loglevel: 'verbose' }).verbose, 'true');
  for (const level of ['notice', 'silent', 'silly']) assert(!('verbose' in npmFlagsOf({ npm_config_loglevel: level })));
});

test('a dry run that npm kept for itself is never ignored by a command that has none', async () => {
  const { error, text } = await refusal(() => readArguments(usage, [], { 'dry-run': 'true' }));
  assert.match(text, /unknown option '--dry-run'/);
  assert.equal(error.exitCode, ExitCode.usage);
  const dry = { ...usage, flags: { 'dry-run': { type: 'boolean' as const, description: '' } } };
  assert.equal(readArguments(dry, [], { 'dry-run': 'true' }).flags['dry-run'], true);
});

test('the help page shows how to call it, the description, every flag and every example', () => {
  const page = helpPage(withWords);
  for (const part of [
    '(choices: "mild", "strong")',
    'strong.',
    '--json ',
    '--timeout <seconds>',
    '--help',
    '  npm run brew\n',
  ])
    assert(page.includes(part), `${part} in\n${page}`);
  assert.match(page, /^ {2}--cup <size> {2,}Which cup to take\.$/m);
  for (const [command, form] of [
    [withWords, '[word]'],
    [withSeveral, '[word...]'],
    [withMore, '[word] [cup...]'],
    [withOperands, '<bean> <spice>'],
  ] as const)
    assert(helpPage(command).startsWith(`Usage: npm run brew -- [options] ${form}\n`), form);
});

test('lists are aligned, and end in no spaces', () => {
  assert.deepEqual(
    columns([
      ['a', 'one'],
      ['long', ''],
    ]),
    ['  a     one', '  long'],
  );
  assert.match(commandList([usage]), /^ {2}brew {2}Make coffee\.$/m);
});

const near: [string, string | undefined][] = [
  ['statsu', 'status'],
  ['STATUS', 'status'],
  ['stat', 'status'],
  ['u', 'up'],
  ['upload', undefined],
  ['frobnicate', undefined],
  ['', undefined],
];
for (const [word, meant] of near) {
  test(`"${word}" ${meant ? `is taken for ${meant}` : 'is like none'}`, () =>
    assert.equal(closest(word, ['up', 'status', 'down']), meant));
}

test('the nearest candidate wins, not the first near one', () => {
  assert.equal(closest('HTTPS_PRT', ['HTTP_PORT', 'HTTPS_PORT']), 'HTTPS_PORT');
});
