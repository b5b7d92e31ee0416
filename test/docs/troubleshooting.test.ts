// That the page and the code know the same failures.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { root, textOf, trackedFiles } from '../support/tracked-files.ts';

const page = 'docs/troubleshooting.md';
const sections = textOf(page)
  .split(/^### /m)
  .slice(1)
  .map((text) => {
    const [id = '', ...lines] = text.split(/^## /m)[0]?.split('\n') ?? [];
    const quoted = lines.filter((line) => line.startsWith('    ')).map((line) => line.trim());
    const prose = lines.filter((line) => line !== '' && !line.startsWith('    ')).join(' ');
    return { id, quoted, prose };
  });

/** Rules of `validate` have ids too, which are no errors. */
const sources = trackedFiles()
  .filter((file) => /^scripts\/.*\.ts$/.test(file) && !file.startsWith('scripts/checks/validate/'))
  .map((file) => ({ file, text: textOf(file) }));

/** What an id is given, up to the next property: a literal, several, or one of two. */
const given = /\b(?:id|errorId): ([^\n]*?)(?:, \w+[:,}]|,?\n| })/g;
const ids = new Set(
  sources.flatMap(({ text }) =>
    [...text.matchAll(given)].flatMap(([, value = '']) =>
      [...value.matchAll(/'([a-z][a-z0-9-]*)'/g)].map(([, id = '']) => id),
    ),
  ),
);

/** Failures whose message and hint say all that there is to say. A new one that needs more gets a section. */
const withoutSection = [
  'node-not-stopped',
  'component-absent',
  'certificate-not-ours',
  'not-a-regular-file',
  'file-not-permitted',
  'no-terminal',
  'flags-exclude',
];

test('each failure with an id has a section, unless its message says all, and no section is of a failure that is gone', () => {
  const titles = sections.map(({ id }) => id);
  assert.equal(new Set(titles).size, titles.length);
  assert.deepEqual([...titles, ...withoutSection].sort(), [...ids].sort());
});

for (const { id, quoted, prose } of sections) {
  test(`the section ${id} quotes messages that the code has, and says what to do`, () => {
    assert(quoted.length > 0 && prose.length > 10);
    for (const message of quoted) {
      const pieces = message.split(/…|(?<=[,:;.]) |[()]/).map((piece) => piece.replace(/[.,:;]$/, '').trim());
      const telling = pieces.filter((piece) => piece.split(' ').length > 1 || /^[A-Z]\w{6,}$/.test(piece));
      assert(telling.length > 0 || !message.includes(' '), message);
      for (const piece of telling) {
        // The first word may come from elsewhere, as the name of a setting or a tool does.
        const found = [piece, piece.replace(/^\S+ /, '')].some((one) => templates.some((text) => text.includes(one)));
        assert(found, `${message}\nnowhere: ${piece}`);
      }
    }
  });
}

const templates = sources.map(({ text }) => withHoles(text));

/** The text of a program in which each `${…}` is an ellipsis, also where one is in another. */
function withHoles(text: string): string {
  const emptied = text.replaceAll(/\$\{[^{}]*\}/g, '…').replaceAll(/\\(['`"])/g, '$1');
  return emptied === text ? text : withHoles(emptied);
}

/** Whoever comes across one of these before or while the platform comes up has nobody to ask. */
const covered = new RegExp(
  [
    'access/kubeconfig/file\\.ts',
    // What builds a finding takes the id from its caller, as its type demands.
    'checks/doctor/(?!check\\.ts)',
    'cluster/(cluster|creation|node)\\.ts',
    'components/(git-source|render-errors)\\.ts',
    'config/dotenv\\.ts',
    'context\\.ts',
    'images/(store|stubs)\\.ts',
    'images/credentials/token-check\\.ts',
    'kubernetes/tools/toolbox\\.ts',
    'kubernetes/waiting/deletion\\.ts',
    'lib/docker/containers\\.ts',
    'lib/git/checkout\\.ts',
    'repository/committed-values\\.ts',
  ]
    .map((place) => `^scripts/${place}`)
    .join('|'),
);

test('what the code throws or finds of this machine, its Docker, the clone, the images and tokens has an id', () => {
  const start = /new (?:UserError|UsageError)\(|\{(?=[^{}]*level: 'problem')/g;
  const found = sources
    .filter(({ file }) => covered.test(file))
    .flatMap(({ file, text }) => [...text.matchAll(start)].map(({ index }) => `${file}: ${bracketed(text, index)}`));
  assert(found.length > 20);
  assert.deepEqual(
    found.filter((one) => !/\b(id|errorId)\b|cause/.test(one)),
    [],
  );
});

/** The text from a place up to where its first bracket is closed. */
function bracketed(text: string, from: number): string {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    if (/[({[]/.test(text.charAt(at))) depth += 1;
    if (/[)}\]]/.test(text.charAt(at))) depth -= 1;
    if (depth === 0 && /[)}\]]/.test(text.charAt(at))) return text.slice(from, at + 1);
  }
  return text.slice(from);
}

test('a command that fails names the section behind its message and its hint', () => {
  const run = (name: string) => {
    const env = { PATH: process.env.PATH, HOME: '/nonexistent', CLUSTER_NAME: 'No Such Name' };
    return spawnSync('node', ['platform.mjs', name], { cwd: root, env, encoding: 'utf8' });
  };
  const ran = run('status');
  assert.match(ran.stderr, /✖ CLUSTER_NAME .*\n {2}→ .*\n {2}docs\/troubleshooting\.md#setting-wrong\n$/);
  assert.equal(ran.status, 2);
  assert.doesNotMatch(run('no-such-command').stderr, /troubleshooting/);
});

test('the README leads from the words of the failures that most people meet to their sections', () => {
  const rows = [...textOf('README.md').matchAll(/^\| `([^`]+)` \| .*\(docs\/troubleshooting\.md#([\w-]+)\) \|$/gm)];
  assert(rows.length >= 8);
  for (const [, message = '', id] of rows)
    assert(sections.find((section) => section.id === id)?.quoted.includes(message), message);
});
