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

const accepted: [string[], object][] = [
  [[], {}],
  [['--json'], { flags: { json: true } }],
  [['--timeout', '60'], { flags: { timeout: 60 } }],
  [['--timeout=60', '--json'], { flags: { timeout: 60, json: true } }],
  [['--timeout=60', '--timeout=5'], { flags: { timeout: 5 } }],
  [['--cup', 'big', '--cup=small'], { flags: { cup: 'small' } }],
  [['--help'], { help: true }],
  [['-h', '--json'], { help: true }],
  [['--', '--json', '--timeout', '5'], { flags: { json: true, timeout: 5 } }],
  [['--json', '--', '--timeout', '5'], { flags: { json: true, timeout: 5 } }],
];
for (const [argv, expected] of accepted) {
  test(`brew ${argv.join(' ')}`, () =>
    assert.deepEqual(readArguments(usage, argv), {
      flags: {},
      word: undefined,
      operands: [],
      help: false,
      ...expected,
    }));
}

const withOperands: Usage = {
  ...usage,
  flags: { ...usage.flags, with: { type: 'text', value: 'spice', description: 'What to add.' } },
  operands: ['bean', 'cup'],
};

test('operands come in the order that they were typed in, whatever flags stand between', () => {
  const { operands, word, flags } = readArguments(withOperands, ['arabica', '--with', 'cardamom', 'large', '--json']);
  assert.deepEqual([operands, word, flags], [['arabica', 'large'], undefined, { with: 'cardamom', json: true }]);
});

test('help needs no operands', () => {
  assert.equal(readArguments(withOperands, ['--help', 'arabica']).help, true);
});

const withSeveral: Usage = {
  ...usage,
  flags: { with: { type: 'text', value: 'spice', repeated: true, description: 'What to add.' } },
  words: ['mild', 'strong'],
  severalWords: true,
};

test('several words come each once, in the order that they were typed in', () => {
  const read = (...argv: string[]) => readArguments(withSeveral, argv).operands;
  assert.deepEqual([read(), read('strong'), read('strong', 'mild', 'strong')], [[], ['strong'], ['strong', 'mild']]);
  assert.throws(() => read('strong', 'weak'), /'weak' is invalid\. .*mild, strong/);
  assert.match(helpPage(withSeveral), /^Usage: npm run brew -- \[options\] \[word\.\.\.\]\n/);
});

test('what may follow a word is handed on, each once, and not without the word', () => {
  const withMore: Usage = { ...usage, words: ['mild', 'strong'], more: 'cup' };
  const { word, operands } = readArguments(withMore, ['mild', 'red', 'blue', 'red']);
  assert.deepEqual([word, operands], ['mild', ['red', 'blue']]);
  assert.throws(() => readArguments(withMore, ['red']), /'red' is invalid/);
  assert.match(helpPage(withMore), /^Usage: npm run brew -- \[options\] \[word\] \[cup\.\.\.\]\n/);
});

test('a text that may be typed several times is handed on whole, and takes the place of what npm kept', () => {
  const { flags } = readArguments(withSeveral, ['--with', 'salt', '--with=sugar'], { with: 'pepper' });
  assert.deepEqual(flags, { with: 'salt,sugar' });
  assert.deepEqual(readArguments(withSeveral, [], { with: 'pepper' }).flags, { with: 'pepper' });
});

const refused: [Usage, string[], RegExp, RegExp][] = [
  [usage, ['--jsn'], /unknown option '--jsn'/, /Did you mean --json\?/],
  [usage, ['--colour'], /unknown option '--colour'/, /npm run brew -- --help/],
  [usage, ['-x'], /unknown option '-x'/, /npm run brew -- --help/],
  [usage, ['--no-json'], /unknown option '--no-json'/, /./],
  [usage, ['--json=yes'], /unknown option '--json=yes'/, /npm run brew -- --help/],
  [usage, ['--timeout'], /'--timeout <seconds>' argument missing/, /npm run brew -- --help/],
  [usage, ['--timeout', '5m'], /--timeout <seconds>.* '5m' .*whole number of seconds/, /npm run brew -- --help/],
  [usage, ['--timeout', '0'], /whole number of seconds/, /npm run brew -- --help/],
  [usage, ['--timeout=-5'], /whole number of seconds/, /npm run brew -- --help/],
  [usage, ['--timeout=1.5'], /whole number of seconds/, /npm run brew -- --help/],
  [usage, ['--cup'], /'--cup <size>' argument missing/, /npm run brew -- --help/],
  [usage, ['--cup='], /--cup <size>.* It takes a value/, /npm run brew -- --help/],
  [usage, ['strong'], /too many arguments/, /npm run brew -- --help/],
  [withWords, ['weak'], /^brew: 'weak' is invalid\. Allowed choices are mild, strong\.$/, /npm run brew -- --help/],
  [withOperands, [], /missing required argument 'bean'/, /npm run brew -- --help/],
  [withOperands, ['arabica'], /missing required argument 'cup'/, /npm run brew -- --help/],
  [withOperands, ['arabica', 'large', 'now'], /too many arguments/, /npm run brew -- --help/],
  [withWords, ['mild', 'strong'], /too many arguments/, /npm run brew -- --help/],
];
for (const [command, argv, message, hint] of refused) {
  test(`brew ${argv.join(' ')} is refused with the right form`, async () => {
    const { error } = await refusal(() => readArguments(command, argv));
    assert(error instanceof UsageError);
    assert.match(error.message, message);
    assert.match(error.hint ?? '', hint);
  });
}

test('a word is read beside flags', () => {
  assert.deepEqual(readArguments(withWords, ['strong', '--json']), {
    flags: { json: true },
    word: 'strong',
    operands: [],
    help: false,
  });
});

const kept = (environment: Record<string, string>, argv: string[] = []) =>
  readArguments(usage, argv, npmFlagsOf(environment)).flags;

test('flags that npm kept for itself are honoured', () => {
  assert.deepEqual(kept({ npm_config_json: 'true' }), { json: true });
  assert.deepEqual(kept({ npm_config_timeout: '60' }), { timeout: 60 });
  assert.deepEqual(kept({ npm_config_timeout: '60' }, ['--timeout', '5']), { timeout: 5 });
});

test('a text that npm took apart is refused with the right form', async () => {
  const { error } = await refusal(() => kept({ npm_config_cup: 'true' }));
  assert.match(error.hint ?? '', /npm run brew -- --cup <size>/);
  assert.deepEqual(kept({ npm_config_cup: 'big' }), { cup: 'big' });
});

test('npm turned off or empty is no flag, and neither is a variable that only looks alike', () => {
  assert.deepEqual(kept({ npm_config_json: 'false', npm_config_timeout: '', json: 'true', npm_json: 'true' }), {});
});

test('a flag of several words has dashes again', () => {
  assert.deepEqual(npmFlagsOf({ npm_config_dry_run: 'true', NODE_ENV: 'x' }), { 'dry-run': 'true' });
});

test('npm run up --verbose arrives as npm’s own log level, and no other level means it', () => {
  assert.equal(npmFlagsOf({ npm_config_loglevel: 'verbose' }).verbose, 'true');
  for (const level of ['notice', 'silent', 'silly']) assert(!('verbose' in npmFlagsOf({ npm_config_loglevel: level })));
});

test('a value that npm tore off its flag is answered with the right form', async () => {
  const { text } = await refusal(() => kept({ npm_config_timeout: 'true' }, ['60']));
  assert.match(text, /npm kept --timeout .*\n.*npm run brew -- --timeout <seconds>/);
});

test('the help page shows how to call it, the description, every flag and every example', () => {
  const page = helpPage(withWords);
  for (const part of [
    'Usage: npm run brew -- [options] [word]\n',
    '(choices: "mild", "strong")',
    'strong.',
    '--json ',
    '--timeout <seconds>',
    '--help',
    '  npm run brew\n',
  ])
    assert(page.includes(part), `${part} in\n${page}`);
});

test('the help page names the operands, and what a text is', () => {
  const page = helpPage(withOperands);
  assert.match(page, /^Usage: npm run brew -- \[options\] <bean> <cup>\n/);
  assert.match(page, /^ {2}--with <spice> {2,}What to add\.$/m);
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

test('a dry run that npm kept for itself is never ignored by a command that has none', async () => {
  const brewing = { name: 'brew', summary: '', description: '', flags: {}, examples: [] };
  const { error, text } = await refusal(() => readArguments(brewing, [], { 'dry-run': 'true' }));
  assert.match(text, /unknown option '--dry-run'/);
  assert.equal(error.exitCode, ExitCode.usage);
  const dry = { ...brewing, flags: { 'dry-run': { type: 'boolean' as const, description: '' } } };
  assert.equal(readArguments(dry, [], { 'dry-run': 'true' }).flags['dry-run'], true);
});

test('a flag that takes names refuses an unknown one, with all that it knows, and may be typed several times', async () => {
  const beans = {
    type: 'text' as const,
    description: '',
    value: 'names',
    repeated: true as const,
    choices: ['a', 'b'],
  };
  const roast = { name: 'roast', summary: '', description: '', flags: { beans }, examples: [] };
  assert.equal(readArguments(roast, ['--beans', 'b, a', '--beans=a']).flags.beans, 'b,a,a');
  const { error, text } = await refusal(() => readArguments(roast, ['--beans', 'a,toString']));
  assert.match(text, /'a,toString' is invalid\. Allowed names are a, b\./);
  assert.equal(error.exitCode, ExitCode.usage);
});
