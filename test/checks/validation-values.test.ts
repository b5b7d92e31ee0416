// How `npm run validate` reads values files: what is a value, what explains it, and what can be taken out.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promoted } from '../../scripts/checks/validate/promotion.ts';
import { isCommented, leaves, withoutValue } from '../../scripts/checks/validate/values.ts';
import { root, services } from '../support/helm.ts';
import { sed } from '../support/sed.ts';

const overlay = `# On top.

a:
  # -- One,
  # in two lines.
  one: 1
  # -- Two.
  two: two
# -- Alone.
b:
  only: 1
c: |
  text
`;

test('a value is what holds no further keys; a list is one value', () => {
  const values = { a: { b: 1, c: null }, d: [{ e: 1 }], f: {} };
  assert.deepEqual(leaves(values), [
    { path: ['a', 'b'], value: 1 },
    { path: ['a', 'c'], value: null },
    { path: ['d'], value: [{ e: 1 }] },
    { path: ['f'], value: {} },
  ]);
  assert.deepEqual(leaves(null), []);
});

test('a comment explains the line below it', () => {
  assert(isCommented(overlay, 6), 'a comment of two lines');
  assert(isCommented(overlay, 8));
  assert(!isCommented(overlay, 3), 'a blank line is between');
  assert(!isCommented(overlay, 11));
  assert(!isCommented('#-- no\na: 1\n', 2));
});

test('a value is removed with its comment, and nothing else is', () => {
  const without = (...path: string[]) => withoutValue(overlay, 'values-dev.yaml', path);
  assert.equal(without('a', 'one'), overlay.replace('  # -- One,\n  # in two lines.\n  one: 1\n', ''));
  assert.equal(without('a', 'two'), overlay.replace('  # -- Two.\n  two: two\n', ''));
  assert.equal(without('c'), overlay.replace('c: |\n  text\n', ''));
  assert.equal(without('a'), overlay.replace(/^a:\n( .*\n)+/m, ''));
  assert.equal(without('gone'), overlay);
  assert.equal(without('b', 'only'), overlay, 'the map would be left empty, which is another value');
  assert.equal(withoutValue('a: {b: 1, c: 2}\nd: 1\n', 'values-dev.yaml', ['a', 'b']), 'a: {c: 2}\nd: 1\n');
});

test('a comment that a blank line parts from a value is not about it, and stays', () => {
  const parted = '# Top.\n\n# -- X.\nx: 1\n\n# Section.\n\n# -- Y.\ny: 2\n# -- Z.\nz: 3\n';
  const without = (key: string) => withoutValue(parted, 'values-dev.yaml', [key]);
  assert.equal(without('x'), parted.replace('# -- X.\nx: 1\n\n', ''));
  assert.equal(without('y'), parted.replace('# -- Y.\ny: 2\n', ''));
});

// CI's sed in JavaScript, against the real one.
const odd = [
  'image: {repository: a, tag: b}\n',
  '# the repository: of the tag: of\nmytag: 1 # tag: 2\ntag:\n',
  'tag: "a" \r\nrepository: b\r\nlast: tag: without a line end',
  'tag: ünï \u2028 x\n\n\n',
  'Tag: a\nTAG: b\nrepository : c\n',
];
const files = services.map((service) => readFileSync(join(root, 'helm', service, 'values.yaml'), 'utf8'));

for (const [index, text] of [...files, ...odd].entries()) {
  test(`as sed does: ${services[index] ?? JSON.stringify(text)}`, () => {
    for (const tag of ['a1b2c3d', '1234567', '12e4567', '$1$$', '~']) {
      assert.equal(promoted(text, 'ghcr.io/owner/x', tag), sed(text, 'ghcr.io/owner/x', tag));
    }
  });
}
