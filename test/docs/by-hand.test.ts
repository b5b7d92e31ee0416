import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { argocd, nodeImage } from '../../scripts/config/versions.ts';
import { asText, parts, pathLines, rowsOf, withSection } from '../campaigns/bench/report.ts';
import { byHandScript } from '../campaigns/bench/ways.ts';
import { median } from '../support/measured.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const script = byHandScript(root);

test('the commands by hand take the versions that up takes', () => {
  assert(script.includes(`:-${nodeImage}}`), nodeImage);
  assert(script.includes(` ${argocd.installUrl}\n`), argocd.installUrl);
});

test('the commands by hand name files and folders that are there', () => {
  const named = [...script.matchAll(/(?:--filename|--config) ([a-z][^ \n]*)/g)]
    .map(([, path]) => path ?? '')
    .filter((path) => !path.startsWith('https:'));
  const missing = named.filter((path) => !existsSync(join(root, path)));
  assert(named.length > 10);
  assert.deepEqual(missing, []);
});

const results = (line: string, seconds: number[]) => ({
  line,
  date: '2026-03-01',
  machine: 'a machine',
  samples: {
    'by hand': [{ seconds: 100, received: 500.4 }],
    'up, warm': seconds.map((one) => ({ seconds: one, received: 3, memory: 1500 })),
  },
});

test('a row tells median, spread, and what it is of the commands by hand', () => {
  const [byHand, warm] = rowsOf(results('fast', [50, 30, 41]));
  assert.deepEqual(byHand, ['by hand', '1', '100.0', '100.0 to 100.0', '1.00', '500', '']);
  assert.deepEqual(warm, ['up, warm', '3', '41.0', '30.0 to 50.0', '0.41', '3', '1500']);
  assert.equal(median([1, 2]), 1.5);
  assert.match(asText(results('fast', [1])), /up, warm +1 +1\.0/);
});

test('a warm up is held against its parts, where they were measured', () => {
  const measured = results('fast', [40, 44]);
  assert.deepEqual(pathLines(measured), []);
  const samples = { ...measured.samples, [parts.kind]: [{ seconds: 25 }], [parts.argoCd]: [{ seconds: 15 }] };
  const [line] = pathLines({ ...measured, samples });
  assert.equal(
    line,
    'A warm `up` takes 1.05 times its critical path: kind, alone, and then Argo CD until all serve, alone.',
  );
  assert.match(withSection('# Benchmarks\n', { ...measured, samples }), /\|\n\nA warm `up` takes 1\.05 times/);
});

test('the section of a line takes the place of the one of before, and the others stay', () => {
  const first = withSection('# Benchmarks\n\nWords.\n', results('fast', [50]));
  const both = withSection(first, results('slow', [60]));
  const anew = withSection(both, results('fast', [70]));
  assert.match(anew, /^# Benchmarks\n\nWords\.\n/);
  assert.deepEqual(anew.match(/^## .*/gm), ['## Line: slow', '## Line: fast']);
  assert(!anew.includes('50.0') && anew.includes('60.0') && anew.includes('70.0'));
});
