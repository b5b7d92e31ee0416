// That scripts/ has its thirteen places, and that each imports only from those below it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { againstTheDirection, allImports, importsIn, placeOf, programFiles } from './imports.ts';

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
