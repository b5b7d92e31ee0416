import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSeq } from 'yaml';
import { editYaml } from '../../scripts/repository/yaml.ts';
import { root } from '../support/helm.ts';

/** Written in none of the library's ways, but for `list`. */
const text = `# head


a:   1   # one
mode: 0440
'quoted':   "x"
flow: { b: [1,2,  3] }
list:
    - first # stays

    - second   # stays, too


long: 'a text that is longer than a line may be, a text that is longer than a line may be, a text that is longer'
block: |
   indented by three
    ---
last: yes
`;
const add = (source: string, value: unknown) =>
  editYaml(source, 'a.yaml', (document) => {
    const list = document.get('list');
    if (isSeq(list)) list.add(value);
  });

test('what a change is not about stays byte by byte', () => {
  assert.equal(
    editYaml(text, 'a.yaml', () => {}),
    text,
  );
  assert.equal(
    editYaml(text, 'a.yaml', (document) => document.set('a', 2)),
    text.replace('a:   1   # one', 'a: 2 # one'),
  );
  assert.equal(
    editYaml(text, 'a.yaml', (document) => document.delete('quoted')),
    text.replace(`'quoted':   "x"\n`, ''),
  );
  assert.equal(
    editYaml(text, 'a.yaml', (document) => document.set('new', [1])),
    `${text}new:\n  - 1\n`,
  );
  assert.equal(add('x:  0440\nlist:\n  - a\ny:  1', 'b'), 'x:  0440\nlist:\n  - a\n  - b\ny:  1\n');
});

test('two changes at once, and Windows line ends', () => {
  const changed = (source: string) =>
    editYaml(source, 'a.yaml', (document) => {
      document.set('mode', 1);
      document.set('last', false);
      document.delete('flow');
    });
  const expected = text
    .replace('0440', '1')
    .replace('last: yes', 'last: false')
    .replace(/^flow.*\n/m, '');
  assert.equal(changed(text), expected);
  assert.equal(changed(text.replaceAll('\n', '\r\n')), expected.replaceAll('\n', '\r\n'));
});

test('an item is added to a list that is indented in another way', () => {
  const lines = add(text, 'third').split('\n');
  const kept = text.split('\n').filter((line) => !/^ {4}- /.test(line) && line !== '');
  assert.deepEqual(
    kept.filter((line) => !lines.includes(line)),
    [],
  );
  assert.match(lines.join('\n'), /- first # stays\n+ *- second {1,3}# stays, too\n+ *- third\n/);
});

for (const file of readdirSync(join(root, 'observability'), { recursive: true, encoding: 'utf8' })) {
  if (!/\.ya?ml$/.test(file)) continue;
  test(`${file} stays as it is beside a field that is added`, () => {
    const own = readFileSync(join(root, 'observability', file), 'utf8');
    if (/^---$/m.test(own)) return assert.throws(() => editYaml(own, file, () => {}), /is not valid YAML/);
    assert.equal(
      editYaml(own, file, (document) => document.set('added', true)),
      `${own}added: true\n`,
    );
  });
}

test('what is no YAML is refused, by name', () => {
  assert.throws(() => editYaml('a: [', 'helm/x.yaml', () => {}), /^UserError: helm\/x\.yaml is not valid YAML: /);
});
