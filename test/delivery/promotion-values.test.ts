// That promotions change exactly the values that they mean, in whatever form a values file is written.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { holdsIn, withHold, withoutHolds } from '../../scripts/repository/hold.ts';
import { imageInValues, withImage } from '../../scripts/repository/image-values.ts';
import { refusal } from '../support/fakes.ts';
import { root, services } from '../support/helm.ts';
import { sed } from '../support/sed.ts';

interface Case {
  name: string;
  /** What is to be replaced stands in «». */
  text: string;
  /** What it becomes, where that is more than the quoted tag. */
  becomes?: string;
  /** CI's sed, which knows nothing of YAML, makes something else of it anyway: no fault of the edit. */
  sedBreaksIt?: true;
}

const repository = 'repository: ghcr.io/o/x';
const cases: Case[] = [
  { name: 'plain', text: `image:\n  ${repository}\n  tag: «a1b2c3d»\n` },
  { name: 'double quotes', text: `image:\n  ${repository}\n  tag: «"a1b2c3d"»\n` },
  { name: 'single quotes, one of them escaped', text: `image:\n  ${repository}\n  tag: «'it''s'»\n` },
  { name: 'a comment behind the value', text: `image:\n  ${repository}\n  tag: «a1b2c3d»   # the build\n` },
  {
    name: 'comments all around',
    text: `# a\nimage: # b\n  # c\n  ${repository} # d\n\n  # e\n  tag: «a»\n  # f\n# g\n`,
  },
  { name: 'odd spacing', text: `image:\n     ${repository}   \n     tag:   «a1b2c3d»  \n\n\n` },
  { name: 'tabs around the value', text: `image:\n  ${repository}\n  tag:\t «a1b2c3d»\t# x\n` },
  { name: 'CRLF', text: `image:\r\n  ${repository}\r\n  tag: «a1b2c3d»\r\nenv:\r\n  A: b\r\n` },
  { name: 'CRLF, quoted, with a comment', text: `image:\r\n  ${repository}\r\n  tag: «'a'» # b\r\n` },
  { name: 'mixed line ends', text: `image:\n  ${repository}\r\n  tag: «a»\r\nenv:\n  A: b\r\n` },
  { name: 'no final newline', text: `image:\n  ${repository}\n  tag: «a1b2c3d»` },
  { name: 'no final newline, CRLF', text: `image:\r\n  ${repository}\r\n  tag: «a»` },
  { name: 'the tag first', text: `image:\n  tag: «a1b2c3d»\n  ${repository}\n` },
  { name: 'a byte order mark', text: `\uFEFFimage:\n  ${repository}\n  tag: «a»\n` },
  { name: 'letters beyond the basic plane before it', text: `x: "😀é"\nimage:\n  ${repository}\n  tag: «a»\n` },
  { name: 'a document mark and a directive', text: `%YAML 1.1\n---\nimage:\n  ${repository}\n  tag: «a»\n...\n` },
  {
    name: 'an anchor on the tag, used elsewhere',
    text: `image:\n  ${repository}\n  tag: &sha «a»\nenv:\n  V: *sha\n`,
    sedBreaksIt: true,
  },
  { name: 'an alias for the tag', text: `v: &sha q\nimage:\n  ${repository}\n  tag: «*sha» # the same\nw: *sha\n` },
  { name: 'an alias for the image', text: `v: &i\n  ${repository}\n  tag: «a»\nimage: *i\n` },
  {
    name: 'anchors and merges elsewhere',
    text: `d: &d {a: 1}\ne:\n  <<: *d\n  b: *d\nimage:\n  ${repository}\n  tag: «a»\n`,
  },
  {
    name: 'a merge in the image',
    text: `d: &d\n  pullPolicy: Always\nimage:\n  <<: *d\n  ${repository}\n  tag: «a»\n`,
  },
  { name: 'a YAML tag before the value', text: `image:\n  ${repository}\n  tag: !!str «123»\n` },
  {
    name: 'Windows paths elsewhere',
    text: `env:\n  A: C:\\new\\tag\n  B: 'D:\\tag\\"x"'\n  C: "C:\\\\t"\nimage:\n  ${repository}\n  tag: «a»\n`,
  },
  { name: 'an empty value', text: `image:\n  ${repository}\n  tag:«»\n`, becomes: ' "1234567"' },
  { name: 'an empty value, CRLF', text: `image:\r\n  ${repository}\r\n  tag:«»\r\n`, becomes: ' "1234567"' },
  { name: 'an empty value at the end', text: `image:\n  ${repository}\n  tag: «»` },
  { name: 'an empty value before a comment', text: `image:\n  ${repository}\n  tag: «»# x\n`, becomes: '"1234567" ' },
  { name: 'an anchor without a value', text: `image:\n  ${repository}\n  tag: &a«»\n`, becomes: ' "1234567"' },
  { name: 'a number', text: `image:\n  ${repository}\n  tag: «12e4567»\n` },
  { name: 'the same digits as a number', text: `image:\n  ${repository}\n  tag: «1234567»\n` },
  { name: 'null', text: `image:\n  ${repository}\n  tag: «~»\n` },
  { name: 'a quoted key', text: `image:\n  ${repository}\n  "tag": «a»\n`, sedBreaksIt: true },
  { name: 'an explicit key', text: `image:\n  ${repository}\n  ? tag\n  : «a»\n`, sedBreaksIt: true },
  {
    name: 'a folded text',
    text: `image:\n  ${repository}\n  tag: «>-\n    a1b2c3d\n»env: {}\n`,
    becomes: '"1234567"\n',
    sedBreaksIt: true,
  },
  { name: 'a literal text at the end', text: `image:\n  ${repository}\n  tag: «|-\n    a»`, sedBreaksIt: true },
  {
    name: 'a literal text, CRLF',
    text: `image:\r\n  tag: «|-\r\n    a\r\n»  ${repository}\r\n`,
    becomes: '"1234567"\r\n',
    sedBreaksIt: true,
  },
  { name: 'a value on the next line', text: `image:\n  ${repository}\n  tag:\n    «a» # x\n`, sedBreaksIt: true },
  { name: 'a value of two lines', text: `image:\n  ${repository}\n  tag: «a\n    b»\n`, sedBreaksIt: true },
  { name: 'a flow mapping', text: `image: {${repository}, tag: «a1b2c3d»} # x\n`, sedBreaksIt: true },
  {
    name: 'a flow mapping of several lines',
    text: `image: {\n  ${repository}, # a\n  tag: «a» }\n`,
    sedBreaksIt: true,
  },
  { name: 'a flow mapping with an empty tag', text: `image: { tag: «», ${repository} }\n`, sedBreaksIt: true },
  { name: 'JSON', text: `{"env":{"tag":"q"},"image":{"tag":«"a"»,"repository":"ghcr.io/o/x"}}`, sedBreaksIt: true },
  {
    name: 'a text of several lines that the tag begins behind',
    text: `image: {${repository}, note: "a\n  # b\n  c", tag: «a»}\n`,
    sedBreaksIt: true,
  },
  {
    name: 'keys of the same name in other places',
    text: `env:\n  tag: x\ntag: y\nsidecar:\n  image:\n    repository: z\n    tag: q\nimage:\n  ${repository}\n  tag: «a»\n`,
    sedBreaksIt: true,
  },
  {
    name: 'texts that look like the keys',
    text: `a: |\n  image:\n    tag: x\n    # hold: y\nb: "\n  tag: z\n  # hold: w"\nimage:\n  ${repository}\n  tag: «a»\n`,
    sedBreaksIt: true,
  },
];
for (const service of services) {
  const text = readFileSync(join(root, 'helm', service, 'values.yaml'), 'utf8');
  cases.push({ name: `helm/${service}/values.yaml`, text: text.replace(/(?<=\n {2}tag: )(.*)/, '«$1»') });
  cases.push({
    name: `helm/${service}/values.yaml in CRLF`,
    text: (cases.at(-1)?.text ?? '').replaceAll('\n', '\r\n'),
  });
}

const hold = {
  service: 'core-go',
  tag: 'b2c3d4e',
  by: 'Ann Tag: the repository: owner',
  at: new Date('2026-11-26T14:03:05Z'),
};
const tag = '1234567';
const read = (text: string, version: '1.1' | '1.2') =>
  (parse(text, { version, merge: true, logLevel: 'error' }) as { image: { repository: string; tag: unknown } }).image;
const linesWith = (text: string) =>
  ['repository:', 'tag:'].map((word) => text.split('\n').filter((line) => line.includes(word)).length);

for (const { name, text: marked, becomes = `"${tag}"`, sedBreaksIt } of cases) {
  describe(name, () => {
    const before = marked.replace(/[«»]/g, '');
    const expected = marked.replace(/«[^»]*»/s, () => becomes);
    const after = withImage(before, { tag }, 'values.yaml');

    test('exactly the value changes, and both versions of YAML read the tag', () => {
      assert.equal(after, expected);
      for (const version of ['1.1', '1.2'] as const)
        assert.deepEqual(
          [read(after, version).tag, read(after, version).repository],
          [tag, read(before, version).repository],
        );
      assert.deepEqual(imageInValues(after), { repository: read(before, '1.2').repository, tag });
      assert.deepEqual(linesWith(after), linesWith(before));
    });

    test('the same tag once more changes nothing', () => assert.equal(withImage(after, { tag }, 'values.yaml'), after));

    test('a hold is one line, changes no value, and goes without a trace', () => {
      const held = withHold(after, hold);
      assert.deepEqual(
        holdsIn(held).map((one) => one.tag),
        ['b2c3d4e'],
      );
      assert.equal(held.split('\n').length, after.split('\n').length + 1);
      assert.deepEqual(
        parse(held, { merge: true, logLevel: 'error' }),
        parse(after, { merge: true, logLevel: 'error' }),
      );
      assert.deepEqual(linesWith(held), linesWith(after));
      assert.equal(held.includes('\r\n'), after.includes('\r\n'));
      assert.equal(withHold(held, hold), held);
      assert.equal(withoutHolds(held), after);
    });

    if (!sedBreaksIt)
      test("CI's sed promotes what it means afterwards, and leaves the hold", () => {
        const held = sed(withHold(after, hold), 'ghcr.io/other/y', 'c3d4e5f');
        assert.deepEqual(imageInValues(held), { repository: 'ghcr.io/other/y', tag: 'c3d4e5f' });
        assert.deepEqual(
          holdsIn(held).map((one) => one.tag),
          ['b2c3d4e'],
        );
      });
  });
}

test('the note says which tag, when, by whom, and how to lift it', () => {
  const [{ note } = assert.fail()] = holdsIn(withHold(`image:\n  ${repository}\n  tag: a\n`, hold));
  assert.equal(
    note,
    '# hold: b2c3d4e was rolled back by Ann Tag the repository owner, 2026-11-26 14:03 UTC; npm run resume -- core-go lifts this hold.',
  );
});

test('the note stands above the tag and its comments, and several are kept until all are lifted', () => {
  const text = `image:\n  ${repository}\n  # -- The build.\n  # More of it.\n  tag: a # x\n`;
  const both = withHold(withHold(text, hold), { ...hold, tag: 'c3d4e5f', by: '' });
  assert.match(both, /x\n {2}# hold: c3d4e5f .* by somebody, .*\n {2}# hold: b2c3d4e .*\n {2}# -- The build\.\n/);
  assert.equal(withoutHolds(both), text);
});

const byHand: [string, string, string][] = [
  ['behind the tag', 'image:\n  tag: a # hold: b2c3d4e, ask Ann\n', 'image:\n  tag: a\n'],
  ['at the top', '# Hold: b2c3d4e\nimage:\n  tag: a\n', 'image:\n  tag: a\n'],
  ['at the end, without a newline', 'image:\n  tag: a\n#hold: b2c3d4e', 'image:\n  tag: a\n'],
  ['behind a byte order mark', '\uFEFF# hold: b2c3d4e\nimage:\n  tag: a\n', '\uFEFFimage:\n  tag: a\n'],
  [
    'moved into another part, by an editor with CRLF',
    'image:\r\n  tag: a\r\nenv:\r\n    ## hold: b2c3d4e x\r\n  A: b\r\n',
    'image:\r\n  tag: a\r\nenv:\r\n  A: b\r\n',
  ],
];
for (const [where, text, released] of byHand) {
  test(`a note that was written by hand ${where} holds too, and is lifted`, () => {
    assert.deepEqual(
      holdsIn(text).map((one) => one.tag.replace(',', '')),
      ['b2c3d4e'],
    );
    assert.equal(withoutHolds(text), released);
  });
}

test('what is no comment is no hold', () => {
  for (const text of ['a: "# hold: b"\n', 'a: |\n  # hold: b\n', 'a: x#hold: b\n', '# We hold: b\n', '# holding\n'])
    assert.deepEqual(holdsIn(text), [], text);
});

const repositories: [string, string, string][] = [
  ['plain', 'image: {repository: a/b, tag: x}', 'image: {repository: ghcr.io/o/y, tag: "z"}'],
  [
    'double quotes',
    'image:\n  repository: "a/b" # c\n  tag: x\n',
    'image:\n  repository: "ghcr.io/o/y" # c\n  tag: "z"\n',
  ],
  ['single quotes', "image:\n  tag: x\n  repository: 'a/b'\n", 'image:\n  tag: "z"\n  repository: "ghcr.io/o/y"\n'],
];
for (const [form, text, expected] of repositories) {
  test(`a repository is edited as well, and keeps its form: ${form}`, () =>
    assert.equal(withImage(text, { repository: 'ghcr.io/o/y', tag: 'z' }, 'values.yaml'), expected));
}

const refused: [string, string, RegExp][] = [
  ['broken YAML', 'image:\n  tag: "a\n', /values\.yaml is not valid YAML, in line/],
  ['a key twice', 'image:\n  tag: a\n  tag: b\n', /not valid YAML, in line 3/],
  ['no image', 'env: {}\n', /does not state image\.tag/],
  ['nothing at all', '', /does not state image\.tag/],
  ['an image that is a text', 'image: abc\n', /does not state image\.tag/],
  ['a tag that is a map', 'image:\n  tag: {a: b}\n', /does not state image\.tag/],
  ['a tag that is merged in', 'd: &d {tag: a}\nimage:\n  <<: *d\n', /does not state image\.tag/],
  ['a key without a value', 'image: { tag, repository: a }\n', /does not state image\.tag/],
  ['a type that is no text', 'image:\n  tag: !!int 5\n', /can't be edited where it stands/],
];
for (const [what, text, says] of refused) {
  test(`${what} is refused in a sentence, with what to do`, async () => {
    const { error, text: said } = await refusal(() => withImage(text, { tag: 'a1b2c3d' }, 'helm/x/values.yaml'));
    assert.match(said, says);
    assert(error.hint);
  });
}

test('a tag is read as it is written, whatever YAML takes it for', () => {
  for (const written of ['1234567', '12e4567', '0x12', '1_000', '"1234567"', "'1e5'"]) {
    const image = imageInValues(`image:\n  repository: a\n  tag: ${written}\n`);
    assert.equal(image?.tag, written.replace(/["']/g, ''));
  }
  for (const text of ['', 'image:\n', 'image: {tag: a}', '{', 'image:\n  repository: a\n  tag:\n'])
    assert.equal(imageInValues(text), undefined, text);
});
