// That what the pages name is there: links, paths, commands, flags and settings.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { NamedCommand } from '../../scripts/commands/command.ts';
import { allCommands } from '../../scripts/commands/index.ts';
import { readSetting, type SettingName, settingNames } from '../../scripts/config/settings.ts';
import { readArguments } from '../../scripts/lib/terminal/args.ts';
import { type Code, readPage } from '../support/markdown.ts';
import { root, textOf, trackedFiles } from '../support/tracked-files.ts';

const files = trackedFiles();
const pages = new Map(files.filter((file) => file.endsWith('.md')).map((file) => [file, readPage(textOf(file))]));
const code = [...pages].flatMap(([file, page]) => page.code.map((one) => ({ ...one, file })));
type Placed = Code & { file: string };
const place = ({ file, line }: { file: string; line: number }) => `${file}:${line}`;
const folders = new Set(files.flatMap((file) => parentsOf(file)));
const commands = new Map<string, NamedCommand>((await allCommands()).map((command) => [command.name, command]));
const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };

function parentsOf(file: string): string[] {
  const parent = dirname(file);
  return parent === '.' ? [] : [parent, ...parentsOf(parent)];
}

test('every link leads to a file that is there, and to a heading that it has, also through GitHub', () => {
  let looked = 0;
  for (const [file, { links }] of pages) {
    for (const { target, line } of links) {
      const own = target.replace(/^https:\/\/github\.com\/zainasr\/platform-ops\/(?:blob|tree)\/main\//, '/');
      if (/^[a-z]+:/.test(own)) continue;
      looked += 1;
      const [path = '', anchor] = own.split('#');
      const from = path.startsWith('/') ? '' : dirname(file);
      const to = path === '' ? file : join(from, path).replace(/^\/|\/$/g, '');
      assert(files.includes(to) || folders.has(to), `${place({ file, line })}: ${target}`);
      if (anchor !== undefined) assert(pages.get(to)?.anchors.includes(anchor), `${place({ file, line })}: ${target}`);
    }
  }
  assert(looked > 20);
});

/** Words in capital letters stand for any name, and braces for each of the words between them. */
function matching(path: string): RegExp {
  const pattern = path
    .replace(/\/$/, '')
    .replaceAll(/[.+?^$()|[\]\\]/g, '\\$&')
    .replaceAll(/\{([^}]*)\}/g, (_, words: string) => `(?:${words.replaceAll(',', '|')})`)
    .replaceAll('*', '[^/]*')
    .replaceAll(/\b[A-Z]{2,}\b(?!\.md)/g, '[^/]+');
  return new RegExp(`^${pattern}$`);
}

test('every path into a folder of the repository is there', () => {
  const top = new Set(files.map((file) => file.split('/')[0] ?? '').filter((name) => folders.has(name)));
  const paths = code.filter(({ text }) => /^[\w.-]+\/[\w./{},*-]*$/.test(text) && top.has(text.split('/')[0] ?? ''));
  assert(paths.length > 20);
  for (const one of paths) {
    const pattern = matching(one.text);
    assert(
      files.some((file) => pattern.test(file)) || [...folders].some((folder) => pattern.test(folder)) || isMade(one),
      `${place(one)}: ${one.text}`,
    );
  }
});

/** What is described before somebody makes it. */
function isMade({ text, file }: Placed): boolean {
  return file === 'CONTRIBUTING.md' && text.includes('NAME') && existsSync(join(root, dirname(text)));
}

/** The calls of our commands in a piece of code, each with what is typed behind the dashes. */
function callsIn(text: string): { name: string; argv: string[] | undefined }[] {
  return [...text.matchAll(/npm (?:run )?(?:--silent |-s )?([\w:-]+)(?: -- ([^|#;&)]*))?/g)]
    .filter(([whole]) => /^npm (run|test)/.test(whole))
    .map(([, name = '', typed]) => ({
      name,
      argv: typed?.match(/'[^']*'|\S+/g)?.map((word) => word.replaceAll("'", '')),
    }));
}

test('every npm run is a script, with flags and words that it knows', () => {
  const calls = code.flatMap((one) => callsIn(one.text).map((call) => ({ ...call, at: place(one) })));
  assert(calls.length > 80);
  for (const { name, argv, at } of calls) {
    assert(name in scripts, `${at}: npm run ${name}`);
    const command = commands.get(name);
    if (command && argv !== undefined) readsAs(command, argv, at);
  }
});

/** A placeholder as <service> or NAME stands for any word of its place. */
function readsAs(command: NamedCommand, argv: string[], at: string): void {
  const isPlaceholder = (word: string) => /^(<\w+>|[A-Z]+)$/.test(word);
  const words = argv.filter((word) => !(command.words && isPlaceholder(word)));
  try {
    readArguments(command, words);
  } catch (error) {
    throw new assert.AssertionError({
      message: `${at}: ${command.name} ${argv.join(' ')}: ${(error as Error).message}`,
    });
  }
}

test('every flag that the table of commands gives a command is one of its own', () => {
  const rows = (
    textOf('README.md')
      .split(/^## /m)
      .find((text) => text.startsWith('Commands\n')) ?? ''
  )
    .split('\n')
    .filter((line) => /^\| `npm run /.test(line));
  const named = rows.map((row) => row.match(/^\| `npm run ([\w-]+)/)?.[1] ?? '');
  assert.deepEqual(named.toSorted(), [...commands.keys()].sort(), 'a row for each command');
  for (const row of rows) {
    const command = commands.get(row.match(/npm run ([\w-]+)/)?.[1] ?? '') ?? assert.fail(row);
    const [, , ...cells] = row.split('|');
    for (const [, typed = ''] of cells.join('|').matchAll(/`-- ([^`]+)`/g)) {
      const argv = typed.match(/'[^']*'|\S+/g)?.map((word) => word.replaceAll("'", '')) ?? [];
      const needed = command.operands?.map(() => 'x') ?? [];
      for (const [index, word] of argv.entries())
        if (word.startsWith('--') && argv[index + 1] === undefined && command.flags[word.slice(2)]?.type !== 'boolean')
          argv.push('1');
      readsAs(command, [...needed, ...argv], row.slice(0, 40));
    }
  }
});

test('a flag that is named alone is one of some command here, or of the tool that its line names', () => {
  const ours = new Set([...commands.values()].flatMap(({ flags }) => Object.keys(flags)).concat('help'));
  const tools = /\b(kubectl|git|helm|kind|docker|npm|node|promtool|Prometheus|Argo CD|API server|Node)\b/;
  for (const one of code) {
    const [, flag] = one.text.match(/^--([a-z][a-z-]*)(?:[ =].*)?$/) ?? [];
    if (flag !== undefined) assert(ours.has(flag) || tools.test(one.within), `${place(one)}: ${one.text}`);
  }
});

/** Variables that are not settings: those of other programs, and those of our tests, which README names with their script. */
const others = new Set([
  'GH_TOKEN',
  'KUBECONFIG',
  'GITHUB_OUTPUT',
  'GITHUB_STEP_SUMMARY',
  'DOCKER_HOST',
  'NODE_EXTRA_CA_CERTS',
  'NODE_USE_ENV_PROXY',
  'SSL_CERT_FILE',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
  'XDG_CACHE_HOME',
  'XDG_DATA_HOME',
  // Of Argo CD's controller.
  'ARGOCD_CONTROLLER_REPLICAS',
  'HEAD',
  'PATH',
]);
const inTests = files
  .filter((file) => file.startsWith('test/'))
  .flatMap((file) => [...textOf(file).matchAll(/process\.env\.([A-Z_]+)/g)].map((match) => match[1] ?? ''));

test('every setting is there, with a value that it takes', () => {
  const seen = new Set<string>();
  for (const one of code) {
    const [, name = '', value] =
      one.text.match(/^([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|ENVIRONMENT|ALERTMANAGER)(?:=(\S*))?(?: |$)/) ?? [];
    if (name === '' || others.has(name) || inTests.includes(name)) continue;
    assert(settingNames.includes(name as SettingName), `${place(one)}: ${name}`);
    seen.add(name);
    if (value && !/[<…]/.test(value))
      assert.doesNotThrow(() => readSetting(name as SettingName, value), `${place(one)}: ${one.text}`);
  }
  assert(seen.size >= 8, [...seen].join());
});

test('the README lists every script of the tests', () => {
  const readme = textOf('README.md');
  for (const name of Object.keys(scripts).filter(
    (script) => /^(test|bench|check|schemas)(:|$)/.test(script) && !/^check:/.test(script),
  ))
    assert(readme.includes(`npm run ${name}`) || readme.includes(`npm ${name} `), name);
});
