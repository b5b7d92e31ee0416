// That each decision record has its sections, and that the index lists every record and page once, under its own number.
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { test } from 'node:test';
import { readPage } from '../support/markdown.ts';
import { textOf, trackedFiles } from '../support/tracked-files.ts';

const folder = 'docs/decisions/';
const pages = trackedFiles().filter((file) => file.startsWith(folder) && !file.endsWith('/README.md'));
const records = pages.filter((file) => /^\d/.test(basename(file)));
const sections = ['Status', 'Context', 'Decision', 'Alternatives', 'What decided', 'Consequences'];

test('each record has every section in its order, and something in it', () => {
  assert(records.length >= 12);
  for (const file of records) {
    const [, ...parts] = textOf(file).split(/^## /m);
    assert.deepEqual(
      parts.map((part) => part.split('\n')[0]),
      sections,
      file,
    );
    for (const part of parts) assert(part.split('\n').slice(1).join('').trim() !== '', `${file}: ${part}`);
  }
});

test('each record has at most forty lines', () => {
  const long = records.filter((file) => textOf(file).trimEnd().split('\n').length > 40);
  assert.deepEqual(long, []);
});

test('the records are numbered without a gap, and begin with the number that their file bears', () => {
  for (const [index, file] of records.entries()) {
    const number = String(index + 1).padStart(4, '0');
    assert.match(basename(file), new RegExp(`^${number}-[a-z0-9-]+\\.md$`));
    assert.match(textOf(file), new RegExp(`^# ${number}: \\S`), file);
  }
});

test('a record tells its alternatives, and names what was weighed against it', () => {
  for (const file of records) {
    const [, alternatives = ''] = textOf(file).match(/^## Alternatives\n([\s\S]*?)^## /m) ?? [];
    assert(alternatives.match(/^- \*\*/gm), file);
  }
});

test('the index has one line for each record and each page, and no other', () => {
  const rows = textOf(`${folder}README.md`)
    .split('\n')
    .filter((line) => /^\| \[/.test(line));
  const listed = rows.flatMap((row) =>
    readPage(row)
      .links.slice(0, 1)
      .map(({ target }) => `${folder}${target}`),
  );
  assert.deepEqual(listed.toSorted(), pages.toSorted());
});

test('what the index calls a page is its heading', () => {
  for (const row of textOf(`${folder}README.md`).matchAll(/^\| \[([^\]]+)\]\(([^)]+)\) \|/gm)) {
    const [, name = '', target = ''] = row;
    const heading = textOf(`${folder}${target}`).match(/^# (.*)$/m)?.[1] ?? assert.fail(target);
    assert(heading === name || heading.startsWith(`${name}: `), `${target}: ${heading}`);
  }
});
