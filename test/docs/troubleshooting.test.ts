// That the page and the table have the same failures, and that the code says what both quote.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { failuresIn, knownFailures, troubleshootingPage } from '../../scripts/commands/known-failures.ts';
import { root, textOf, trackedFiles } from '../support/tracked-files.ts';

const sections = textOf(troubleshootingPage)
  .split(/^### /m)
  .slice(1)
  .map((text) => {
    const [id = '', ...lines] = text.split(/^## /m)[0]?.split('\n') ?? [];
    const quoted = lines.filter((line) => line.startsWith('    ')).map((line) => line.trim());
    const prose = lines.filter((line) => line !== '' && !line.startsWith('    ')).join(' ');
    return { id, quoted, prose };
  });
const ids = knownFailures.map(({ id }) => id);
/** A message as a person would see it: something stands for each part that differs from time to time. */
const seen = (quoted: string) => quoted.replaceAll('…', 'x');

const sources = trackedFiles()
  .filter((file) => /^scripts\/.*\.ts$/.test(file) && file !== 'scripts/commands/known-failures.ts')
  .map((file) => withHoles(textOf(file)));

/** The text of a program in which each `${…}` is an ellipsis, also where one is in another. */
function withHoles(text: string): string {
  const emptied = text.replaceAll(/\$\{[^{}]*\}/g, '…').replaceAll(/\\(['`"])/g, '$1');
  return emptied === text ? text : withHoles(emptied);
}

test('the page has a section for each known failure, in the same order, and no other', () => {
  assert.deepEqual(
    sections.map(({ id }) => id),
    ids,
  );
  assert.equal(new Set(ids).size, ids.length);
});

for (const { id, says } of knownFailures) {
  const { quoted = [], prose = '' } = sections.find((section) => section.id === id) ?? {};

  test(`${id} is known by each message that its section quotes, and none of them is another's`, () => {
    assert(quoted.length > 0);
    for (const message of quoted) assert.deepEqual(failuresIn(seen(message)), [id], message);
    assert(prose.length > 10, 'it says what to do');
  });

  test(`each wording by which ${id} is known is quoted`, () => {
    for (const wording of says.source.split(/\|(?![^()]*\))/))
      assert(
        quoted.some((message) => new RegExp(wording).test(seen(message))),
        wording,
      );
  });

  test(`the messages of ${id} are in the code`, () => {
    for (const message of quoted) {
      const pieces = message.split(/…|(?<=[,:;.]) |[()]/).map((piece) => piece.replace(/[.,:;]$/, '').trim());
      const telling = pieces.filter((piece) => piece.split(' ').length > 1 || /^[A-Z]\w{6,}$/.test(piece));
      assert(telling.length > 0 || !message.includes(' '), message);
      for (const piece of telling) {
        // The first word may come from elsewhere, as the name of a setting or a tool does.
        const found = [piece, piece.replace(/^\S+ /, '')].some((one) => sources.some((source) => source.includes(one)));
        assert(found, `${message}\nnowhere: ${piece}`);
      }
    }
  });
}

/** Whoever comes across one of these before or while the platform comes up has nobody to ask. */
const covered = new RegExp(
  [
    'access/kubeconfig/',
    'checks/doctor/',
    'cluster/(cluster|creation|node)\\.ts',
    'components/(git-source|render-errors)\\.ts',
    'config/(dotenv|env-file)\\.ts',
    'context\\.ts',
    'images/(store|stubs)\\.ts',
    'images/credentials/token-check\\.ts',
    'kubernetes/tools/toolbox\\.ts',
    'kubernetes/waiting/(api-server|deletion)\\.ts',
    'lib/docker/containers\\.ts',
    'lib/git/checkout\\.ts',
    'repository/committed-values\\.ts',
  ]
    .map((place) => `^scripts/${place}`)
    .join('|'),
);
/** Sentences that say what is well, and words that are a part of another message. */
const noFailure = [
  / is ready/,
  / is free\./,
  / answers( \(|\.$)/,
  / suits /,
  /high enough/,
  /it will do, but/,
  /a node evicts pods/,
  /^…\.$/,
  // The message of a failure follows.
  /could not be stopped: …$/,
  /^Ignored check /,
  /^git …\.$/,
  /is no YAML|it is no|another program is writing it|in it already that platform-ops did not put there/,
  /^git could not read/,
  /^The cluster … …\.$/,
];

test('what the code says of this machine, its Docker, the clone, the images and tokens is all on the page', () => {
  const thrown = /(?:new (?:UserError|UsageError)\(|message:)\s*(['"`])((?:(?!\1).)+)\1/g;
  const messages = trackedFiles()
    .filter((file) => covered.test(file))
    .flatMap((file) => [...withHoles(textOf(file)).matchAll(thrown)].map((match) => `${file}: ${match[2]}`));
  assert(messages.length > 40);
  const unknown = messages.filter((line) => {
    const message = line.replace(/^\S+ /, '');
    return (
      !noFailure.some((pattern) => pattern.test(message)) &&
      failuresIn(seen(message)).length === 0 &&
      !isPartOf(message)
    );
  });
  assert.deepEqual(unknown, []);
});

/** What begins with a hole has its words in what the hole stands for. */
function isPartOf(message: string): boolean {
  return sections.some(({ quoted }) => quoted.some((one) => one.includes(message.replaceAll(/^…|…$|\.$/g, '').trim())));
}

test('a command that fails names the section behind its message and its hint', () => {
  const command = ['--import', './scripts/lib/startup/hide-tokens.mjs', '--import', 'tsx', 'scripts/cli.ts', 'status'];
  const env = { PATH: process.env.PATH, HOME: '/nonexistent', CLUSTER_NAME: 'No Such Name' };
  const ran = spawnSync('node', command, { cwd: root, env, encoding: 'utf8' });
  assert.match(ran.stderr, /✖ CLUSTER_NAME must be .*\n {2}→ .*\n {2}docs\/troubleshooting\.md#setting-wrong\n$/);
  assert.equal(ran.status, 2);
});

test('the README leads from the words of the failures that most people meet to their sections', () => {
  const rows = [...textOf('README.md').matchAll(/^\| `([^`]+)` \| .*\(docs\/troubleshooting\.md#([\w-]+)\) \|$/gm)];
  assert(rows.length >= 8);
  for (const [, message = '', id] of rows) {
    assert.deepEqual(failuresIn(seen(message)), [id], message);
    assert(sections.find((section) => section.id === id)?.quoted.includes(message), message);
  }
});
