// That the test of the README's commands reads them as a person does, and leaves out none but those that are marked.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectedCode, promiseOf, promises } from '../e2e/readme-promises.ts';
import { readPage } from '../support/markdown.ts';
import { blocksOf, withOwn } from '../support/readme-commands.ts';
import { textOf } from '../support/tracked-files.ts';

const readme = textOf('README.md');
const blocks = blocksOf(readme);
const run = blocks.filter(({ notRun }) => notRun === undefined);
const typed = run.flatMap(({ commands }) => commands);

const page = `# A page

## First

Text before.

    one   # what it does
    two 'a # b' && three \\
      --four # says "so"

    # nothing to type
    five

Text that goes on
    indented, within a paragraph.

<!-- not run: it only shows -->

    six

<!-- not run: a paragraph parts it from the block -->

Text.

    six and a half

## Second

    seven

\`\`\`mermaid
eight
\`\`\`

<!-- not run: too long -->

\`\`\`sh
nine
\`\`\`

\`\`\`bash
ten
\`\`\`
`;

test('blocks are read with their section, their place, and why they are not run', () => {
  assert.deepEqual(
    blocksOf(page).map(({ section, line, notRun, commands }) => [section, line, notRun, commands.length]),
    [
      ['First', 7, undefined, 3],
      ['First', 19, 'it only shows', 1],
      ['First', 25, undefined, 1],
      ['Second', 29, undefined, 1],
      ['Second', 38, 'too long', 1],
      ['Second', 42, undefined, 1],
    ],
  );
});

test('a command goes on behind a backslash, and what is said of it begins at a # outside of quotes', () => {
  assert.deepEqual(blocksOf(page)[0]?.commands, [
    { line: 7, text: 'one', said: 'what it does' },
    { line: 8, text: "two 'a # b' && three --four", said: 'says "so"' },
    { line: 12, text: 'five', said: '' },
  ]);
});

test("a person's own port and cluster take the place of the page's", () => {
  const own = { cluster: 'mine', https: 9443 };
  assert.equal(withOwn('curl -k https://api.localhost:8443/info', own), 'curl -k https://api.localhost:9443/info');
  assert.equal(withOwn('ls .state/kind-cluster-1', own), 'ls .state/mine');
});

test('the README has a block for each start of code, so none is overlooked', () => {
  const lines = readme.split('\n');
  const inDiagram = readme.slice(0, readme.indexOf('```mermaid')).split('\n').length;
  const starts = readPage(readme).code.filter(
    ({ line, within }) =>
      /^ {4}\S/.test(within) && lines[line - 2] === '' && lines[line - 1] === within && line !== inDiagram,
  );
  assert.deepEqual(
    blocks.map(({ line }) => line),
    starts.map(({ line }) => line),
  );
});

test('the marks of the README are all of a block, and give a reason', () => {
  const marks = [...readme.matchAll(/<!-- not run: (.*) -->/g)].map((match) => match[1]);
  assert.deepEqual(
    blocks.flatMap(({ notRun }) => notRun ?? []),
    marks,
  );
  assert.equal(readme.match(/<!--/g)?.length, marks.length, 'no other comment, as a misspelt mark would be');
});

test('what is run begins with a clone, and brings the platform up before it is used', () => {
  const texts = typed.map(({ text }) => text);
  assert.match(texts[0] ?? '', /^git clone https:\S+ && cd \S+$/);
  assert.deepEqual(texts.slice(1, 3), ['npm ci', 'npm run up']);
  assert.deepEqual([...new Set(run.map(({ section }) => section))], ['Start', 'Try it', 'Promoting']);
});

test('each promise is about one command, and what is refused is expected to fail', () => {
  for (const promise of promises)
    assert.equal(typed.filter((command) => promiseOf(command) === promise).length, 1, String(promise.of));
  assert.deepEqual(
    typed.filter((command) => expectedCode(command) !== 0).map(({ said }) => said),
    ['refused: it was rolled back'],
  );
});
