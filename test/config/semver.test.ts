import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareVersions, isAtLeast, parseVersion, type Version } from '../../scripts/config/versions.ts';

const texts: [string, string | undefined][] = [
  ['v1.36.4', '1.36.4'],
  ['kind v0.33.0 go1.26.8 linux/amd64', '0.33.0'],
  ['20.10.24+dfsg1', '20.10.24'],
  ['v1.32.4-dispatcher', '1.32.4'],
  ['git version 2.39.5 (Apple Git-154)', '2.39.5'],
  ['v4.3', '4.3.0'],
  ['latest', undefined],
  ['', undefined],
];
for (const [text, expected] of texts) {
  test(`the version in "${text}" is ${expected}`, () => {
    const found = parseVersion(text);
    assert.equal(found && `${found.major}.${found.minor}.${found.patch}`, expected);
  });
}

const floors: [string, string, boolean][] = [
  ['v0.9.0', '0.10.0', false],
  ['0.10.0', '0.10.0', true],
  ['4.0.0', '3.14.0', true],
  ['3.13.9', '3.14.0', false],
  ['unknown', '0.0.0', false],
];
for (const [text, minimum, expected] of floors) {
  test(`${text} is ${expected ? '' : 'not '}at least ${minimum}`, () =>
    assert.equal(isAtLeast(text, minimum), expected));
}

test('versions sort by number, not by letter', () => {
  const sorted = ['1.10.0', '1.9.10', '1.9.2'].map((text) => parseVersion(text) as Version).sort(compareVersions);
  assert.deepEqual(
    sorted.map(({ minor, patch }) => [minor, patch]),
    [
      [9, 2],
      [9, 10],
      [10, 0],
    ],
  );
});
