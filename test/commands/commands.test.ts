import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { allCommands, commands as entries, findCommand } from '../../scripts/commands/index.ts';
import { helpPage, readArguments } from '../../scripts/lib/terminal/args.ts';

const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  scripts: Record<string, string>;
};

/** Names that npm sets as npm_config_* by itself, from its own defaults, or from a person's .npmrc as true or false. */
const npmOwn = `all allow-same-version audit bin-links browser cache color commit-hooks description dev dry-run
  engine-strict expect-results force foreground-scripts format-package-lock fund git-tag-version global global-prefix
  global-style globalconfig if-present ignore-scripts include-staged include-workspace-root init-module init-private
  install-links legacy-bundling legacy-peer-deps link local-prefix loglevel long node-gyp noproxy npm-version offline
  omit-lockfile-registry-resolved optional package-lock package-lock-only packages-all parseable prefer-dedupe
  prefer-offline prefer-online prefix production progress provenance read-only rebuild-bundle save save-bundle save-dev
  save-exact save-optional save-peer save-prod shrinkwrap sign-git-commit sign-git-tag strict-peer-deps strict-ssl
  timing unicode update-notifier usage user-agent userconfig version versions workspaces workspaces-update yes`;

const commands = await allCommands();
for (const command of commands) {
  const { name, summary, description, flags, words = [], examples } = command;

  test(`${name} says what it does, in one line, at length and by example`, () => {
    assert.match(summary, /^[A-Z][^\n]{10,80}\.$/);
    assert(description.length > summary.length / 2 && description.endsWith('.'));
    assert(examples.length > 0);
  });

  test(`npm run ${name} calls it`, () => {
    assert.equal(scripts[name], `node platform.mjs ${name}`);
  });

  test(`the examples of ${name} are commands that it accepts`, () => {
    for (const example of examples) {
      const [call = ''] = example.split('|');
      const [, argv = ''] =
        call.match(new RegExp(`npm run (?:--silent )?${name}(?: -- (.*))?$`)) ?? assert.fail(example);
      readArguments(command, argv.split(' ').filter(Boolean));
      assert(!/--json\b.*\|/.test(example) || example.includes('--silent'), 'npm prints a banner into the pipe');
    }
  });

  test(`the help page of ${name} has all that it knows`, () => {
    const help = helpPage(command);
    for (const flag of Object.keys(flags)) assert.match(help, new RegExp(`^  --${flag}( <\\w+>)? +[A-Z].+\\.$`, 'm'));
    for (const part of [...words, ...examples, description]) assert(help.includes(part), part);
    assert(
      help.split('\n').every((line) => line.length <= 120),
      'no line is too long for a terminal',
    );
  });

  test(`no flag of ${name} is one that npm sets by itself`, () => {
    assert.deepEqual(
      // What comes of --dry-run by mistake is nothing at all.
      Object.entries(flags)
        .filter(([flag, { typedOnly }]) => !typedOnly && flag !== 'dry-run' && npmOwn.split(/\s+/).includes(flag))
        .map(([flag]) => flag),
      [],
    );
  });
}

test('a command is found by the name that the list gives it, and no other word is one', async () => {
  assert.deepEqual(
    commands.map(({ name }) => name),
    entries.map(({ name }) => name),
  );
  for (const name of entries.map((entry) => entry.name)) assert.equal((await findCommand(name))?.name, name);
  for (const [earlier, name] of Object.entries({
    release: 'resume',
    forward: 'port-forward',
    load: 'traffic',
    support: 'support-bundle',
  }))
    assert.equal((await findCommand(earlier))?.name, name);
  for (const word of ['', 'Up', 'toString', '__proto__']) assert.equal(await findCommand(word), undefined, word);
});

test('commands have names of their own, and every script of platform.mjs is one of them', () => {
  const names = commands.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  const called = Object.entries(scripts).filter(([, line]) => line.includes('platform.mjs'));
  const aliases = entries.flatMap((entry) => entry.aliases ?? []);
  assert.deepEqual(called.map(([name]) => name).sort(), [...names, ...aliases].sort());
});

const platform = fileURLToPath(new URL('../../platform.mjs', import.meta.url));
for (const [argv, code, said] of [
  [['-h'], 0, /^Usage: npm run <command>/],
  [['--'], 0, /^Usage: npm run <command>/],
  [['help', 'forward'], 0, /^Usage: npm run port-forward /],
  [['--', 'up', '--help'], 0, /^Usage: npm run up /],
  [['help', 'upp'], 2, /unknown command 'upp'\.\n.*Did you mean up\?/],
] as const)
  test(`platform.mjs ${argv.join(' ')}`, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [platform, ...argv], { encoding: 'utf8' });
    assert.equal(status, code, stderr);
    assert.match(stdout || stderr, said);
  });
