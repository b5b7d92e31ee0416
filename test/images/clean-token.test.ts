import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cleanToken } from '../../scripts/images/credentials/token-sources.ts';

const token = 'ghp_abcABC0123';

for (const [name, text, cut] of [
  ['nothing around it', token, undefined],
  ['a line break behind it', `${token}\n`, 'line breaks'],
  ['line breaks of Windows', `\r\n${token}\r\n`, 'line breaks'],
  ['blanks', `  ${token}\t`, 'blanks'],
  ['blanks that nobody sees', `\u200b\u00a0${token}\ufeff`, 'blanks'],
  ['double quotes', `"${token}"`, 'quotes'],
  ['quotes of a word processor', `“${token}”`, 'quotes'],
  ['a single quote on one side', `'${token}`, 'quotes'],
  ['all of it', `\n "' ${token} '"\n`, 'line breaks and blanks and quotes'],
] as const) {
  test(`a token with ${name} is taken without that, and it is said`, () => {
    const cleaned = cleanToken(text);
    assert(cleaned.state === 'clean');
    assert.equal(cleaned.token.reveal(), token);
    assert.equal(cleaned.cut, cut);
  });
}

for (const text of ['', ' ', '\n', '""', ' "\t" \r\n']) {
  test(`${JSON.stringify(text)} is no token`, () => assert.equal(cleanToken(text).state, 'empty'));
}

for (const [name, text, says] of [
  ['a blank inside', 'ghp_abc ABC', /blank or a line break inside/],
  ['a line break inside', 'ghp_abc\nABC', /blank or a line break inside/],
  ['a masked part', 'ghp_abc••••', /characters in it that no token/],
  ['a colon', 'octocat:ghp_abc', /characters in it that no token/],
] as const) {
  test(`a token with ${name} is refused, and not shown`, () => {
    const cleaned = cleanToken(text);
    assert(cleaned.state === 'refused');
    assert.match(cleaned.message, says);
    assert.doesNotMatch(cleaned.message + cleaned.remedy, /ghp_/);
  });
}
