import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { compiled } from '../support/compiled.ts';
import { temporaryFolder } from '../support/fakes.ts';

const folder = await temporaryFolder();

/** A process that keeps what it parses, as each command does: its answers, and whether it had them from an earlier one. */
const program = compiled(`
  import { cacheParsed, parseManifest } from './scripts/lib/yaml-cache.ts';
  const [file, ...texts] = process.argv.slice(2);
  cacheParsed(file);
  const answers = texts.map((text) => {
    try {
      const value = parseManifest(text);
      const again = parseManifest(text);
      if (value !== null && typeof value === 'object') value.changed = true;
      return { value: again, apart: parseManifest(text)?.changed !== true, time: again?.at instanceof Date };
    } catch (error) {
      return { error: error.name };
    }
  });
  console.log(JSON.stringify(answers));`);

function run(file: string, ...texts: string[]) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [program, file, ...texts], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as { value?: unknown; apart?: boolean; time?: boolean; error?: string }[];
}
const entriesIn = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as [string, string][];

describe('what manifests were parsed to', { concurrency: true }, () => {
  it('is read by the next process, which gets values of its own', () => {
    const file = join(folder, 'next.json');
    const text = 'mode: 0440\nlist: [a, {b: null}]\n';
    const first = run(file, text);
    assert.deepEqual(first, [{ value: { mode: 0o440, list: ['a', { b: null }] }, apart: true, time: false }]);
    const [[key]] = entriesIn(file) as [[string, string]];
    // What stands in the file is what is handed out: it was not parsed again.
    writeFileSync(file, JSON.stringify([[key, '[{"kept":1}]']]));
    assert.deepEqual(run(file, text)[0]?.value, { kept: 1 });
    assert.deepEqual(run(file, `${text} `)[0]?.value, { mode: 0o440, list: ['a', { b: null }] });
  });

  it('is not kept where JSON would make another value of it, nor where the YAML is broken', () => {
    const file = join(folder, 'values.json');
    const [time, broken] = run(file, 'at: 2026-11-27T10:00:00Z', 'a: [', 'b: .inf');
    assert.equal(time?.time, true);
    assert.equal(broken?.error, 'YAMLParseError');
    assert.equal(existsSync(file), false);
  });

  it('is parsed again where the file is broken or is a folder', () => {
    const file = join(folder, 'broken.json');
    writeFileSync(file, '[["half');
    assert.deepEqual(run(file, 'a: 1')[0]?.value, { a: 1 });
    assert.equal(entriesIn(file).length, 1);
    const taken = join(folder, 'taken');
    mkdirSync(taken);
    assert.deepEqual(run(taken, 'a: 1')[0]?.value, { a: 1 });
    assert.deepEqual(run(join(folder, 'nowhere', 'x.json'), 'a: 1')[0]?.value, { a: 1 });
    assert.deepEqual(readdirSync(taken), []);
    assert.equal(
      readdirSync(folder).some((name) => name.endsWith('.tmp')),
      false,
    );
  });

  it('has its limit, and what was used last stays', () => {
    const file = join(folder, 'limit.json');
    const large = (name: string) => [name, JSON.stringify({ [name]: 'x'.repeat(1_500_000) })];
    writeFileSync(file, JSON.stringify([large('one'), large('two'), large('three')]));
    run(file, 'a: 1');
    const entries = entriesIn(file);
    assert.deepEqual(
      entries.map(([key, json]) => (json === '[{"a":1}]' ? 'a' : key)),
      ['two', 'three', 'a'],
    );
  });
});
