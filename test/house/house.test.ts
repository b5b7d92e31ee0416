// That scripts/ has its thirteen places, that each imports only from those below it, and that no files import each other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { againstTheDirection, allImports, circles, importsIn, placeOf, programFiles } from './imports.ts';

test('every file of scripts/ lies in one of the places', () => {
  assert.deepEqual(
    programFiles().filter((file) => placeOf(file) === undefined),
    [],
  );
});

test('no import points up, types included', () => {
  const imports = allImports();
  assert(imports.length > 1000);
  assert.deepEqual(
    againstTheDirection(imports).map(({ from, to }) => `${from} imports ${to}`),
    [],
  );
});

test('no files import each other, also not the long way round', () => {
  assert.deepEqual(circles(allImports()), []);
});

test('a call whose name has a variable part imports each file that it may mean, but the one that it stands in', () => {
  const found = importsIn('scripts/commands/index.ts', 'const all = await import(`./$' + '{name}.ts`);\n');
  const names = programFiles().filter((file) => /^scripts\/commands\/[^/]+\.ts$/.test(file));
  assert.deepEqual(
    found.map(({ to }) => to),
    names.filter((file) => file !== 'scripts/commands/index.ts'),
  );
});

test('a circle is found whole, with each of its files once, and what only leads to it is no part of it', () => {
  const imports = ['ab', 'bc', 'ca', 'da', 'ce', 'ff'].map(([from = '', to = '']) => ({ from, to }));
  assert.deepEqual(circles(imports), [['a', 'b', 'c'], ['f']]);
});

test('every way of importing is read, and judged by its place', () => {
  const text = `import { one } from '../commands/one.ts';
import type {
  Two,
} from "../config/two.ts";
export { three } from '../delivery/three.ts';
import './four.ts';
import { readFile } from 'node:fs/promises';
const five = async () => (await import('../cli.ts')).five;
`;
  const imports = importsIn('scripts/components/here.ts', text);
  assert.deepEqual(
    imports.map(({ to }) => to),
    [
      'scripts/commands/one.ts',
      'scripts/config/two.ts',
      'scripts/delivery/three.ts',
      'scripts/components/four.ts',
      'scripts/cli.ts',
    ],
  );
  assert.deepEqual(
    againstTheDirection(imports).map(({ to }) => to),
    ['scripts/commands/one.ts', 'scripts/delivery/three.ts', 'scripts/cli.ts'],
  );
});
