import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findAccount } from '../../scripts/images/credentials/credentials.ts';
import type { Verdict } from '../../scripts/images/credentials/token-check.ts';
import { cleanToken, tokenSources } from '../../scripts/images/credentials/token-sources.ts';
import { ExitCode } from '../../scripts/lib/errors.ts';
import { createExec, type Exec } from '../../scripts/lib/exec.ts';
import { base64, Secret } from '../../scripts/lib/secret.ts';
import { everyKind, fakeExec, refusal, temporaryFolder } from '../support/fakes.ts';

const folder = await temporaryFolder();
const owner = { login: 'ann', scopes: ['read:packages'], expires: undefined };
const works: Verdict = { state: 'works', owner };
const refused: Verdict = {
  state: 'refused',
  errorId: 'token-unknown',
  owner: undefined,
  message: 'It is unknown.',
  remedy: 'Make another.',
};
/** A machine without programs, but for one that answers. */
const only = (program: string, answer: Parameters<typeof fakeExec>[0]) =>
  fakeExec((line, options) => (line.startsWith(program) ? answer(line, options) : { exitCode: 127 }));
const gh = only('gh auth token', () => ({ stdout: 'gho_gh\n' }));
const docker = { auths: { 'ghcr.io': { auth: base64('ann:ghp_docker') } } };

interface Places {
  environment?: string;
  file?: string;
  exec?: Exec;
  /** Docker's config.json. */
  docker?: unknown;
}
function find(
  { environment, file, exec, docker: config }: Places,
  check: Parameters<typeof findAccount>[1] = async () => works,
) {
  const dockerFolder = mkdtempSync(join(folder, 'docker '));
  if (config !== undefined)
    writeFileSync(join(dockerFolder, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  const secret = (text: string | undefined) => (text === undefined ? undefined : new Secret(text));
  const places = { inEnvironment: secret(environment), inFile: secret(file), dockerFolder };
  return findAccount(tokenSources({ ...places, exec: exec ?? fakeExec(() => ({ exitCode: 127 })) }), check);
}
const tokenOf = async (...args: Parameters<typeof find>) => (await find(...args)).account?.token.reveal();

test('the places are asked in order, the first token that works is taken, and nothing is asked behind it', async () => {
  const all = { environment: 'ghp_environment', file: 'ghp_file', exec: gh, docker };
  assert.equal(await tokenOf(all), 'ghp_environment');
  assert.equal(await tokenOf({ ...all, environment: '' }), 'ghp_file');
  assert.equal(await tokenOf({ exec: gh, docker }), 'gho_gh');
  assert.equal(await tokenOf({ docker }), 'ghp_docker');
  assert.equal(await tokenOf({}), undefined);
  const { account } = await find({ file: 'ghp_file', exec: fakeExec(() => assert.fail('asked')) });
  assert.deepEqual([account?.username, account?.source], ['ann', '.env']);
});

test('one that lies around and does not work is mentioned, and the next is tried', async () => {
  const check = async (token: Secret) => (token.reveal() === 'ghp_docker' ? works : refused);
  const { account, notes } = await find({ environment: 'ghp_bad', exec: gh, docker }, check);
  assert.equal(account?.source, 'docker');
  assert.deepEqual(notes, [
    'Not used: the token in the environment. It is unknown.',
    'Not used: the token of gh. It is unknown.',
  ]);
  const nobody = await find({ environment: 'ghp_bad', exec: gh }, async () => refused);
  assert.match(nobody.refused?.message ?? '', /environment/, 'the first is what to mend');
});

test('one in .env that does not work, or has a blank inside, is an error, and it is not shown', async () => {
  const bad = await refusal(() => find({ file: 'ghp_file', exec: gh }, async () => refused));
  const blank = await refusal(() => find({ file: 'ghp_one ghp_two' }));
  assert.deepEqual([bad.error.id, blank.error.id], ['token-unknown', 'token-garbled']);
  for (const { error, text } of [bad, blank]) {
    assert.equal(error.exitCode, ExitCode.usage);
    assert.match(text, /^GITHUB_TOKEN in \.env: .*\n.*npm run credentials/);
    assert.doesNotMatch(text, /ghp_/);
  }
});

test('what stood around a token, and that nobody could check it, is said', async () => {
  const unchecked = { state: 'unchecked', owner: undefined, message: 'Nobody answers.' } as const;
  const { account, notes } = await find({ file: ' "ghp_file"' }, async () => unchecked);
  assert.deepEqual([account?.token.reveal(), account?.username, account?.checked], ['ghp_file', 'token', false]);
  const around = 'GITHUB_TOKEN in .env: the blanks and quotes around the token were left out.';
  assert.deepEqual(notes, [around, 'Nobody answers.']);
});

for (const [name, config] of [
  ['no file', undefined],
  ['a file that is not JSON', '{'],
  ['an empty one', 'null'],
  ['a login elsewhere', { auths: { 'docker.io': { auth: base64('ann:x') } } }],
  ['an entry without content, as helpers leave it', { auths: { 'ghcr.io': {} } }],
  ['a helper with a path in its name', { credsStore: '../../evil' }],
] as const) {
  test(`Docker's store with ${name} has no token`, async () => {
    assert.equal(await tokenOf({ docker: config, exec: only('docker-', (line) => assert.fail(line)) }), undefined);
  });
}

test('a real helper is asked on standard input, the one of the registry before that of all', async () => {
  const bin = mkdtempSync(join(folder, 'bin '));
  for (const helper of ['ours', 'all']) {
    const answer = `echo '{"Username":"ann","Secret":"ghp_${helper}"}'`;
    const script = `#!/bin/sh\n[ "$1" = get ] && [ "$(cat)" = ghcr.io ] && ${answer}\n`;
    writeFileSync(join(bin, `docker-credential-${helper}`), script);
    chmodSync(join(bin, `docker-credential-${helper}`), 0o755);
  }
  const exec = createExec({ env: everyKind({ PATH: `${bin}:/usr/bin:/bin` }), signal: new AbortController().signal });
  assert.equal(await tokenOf({ exec, docker: { credHelpers: { 'ghcr.io': 'ours' }, credsStore: 'all' } }), 'ghp_ours');
  assert.equal(await tokenOf({ exec, docker: { credsStore: 'all' } }), 'ghp_all');
  assert.equal(await tokenOf({ exec, docker: { ...docker, credsStore: 'missing' } }), 'ghp_docker');
});

test('a helper that refuses, says what is not JSON, or has a token of another protocol has nothing', async () => {
  for (const answer of [
    { exitCode: 1, stdout: 'credentials not found in native keychain' },
    { stdout: 'hello' },
    { stdout: '{"Username":"<token>","Secret":"x"}' },
  ])
    assert.equal(await tokenOf({ exec: only('docker-', () => answer), docker: { credsStore: 'desktop' } }), undefined);
});

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
    assert.deepEqual([cleaned.token.reveal(), cleaned.cut], [token, cut]);
  });
}

test('nothing, or only what stands around a token, is none; one with something inside is refused, and not shown', () => {
  for (const text of ['', ' ', '\n', '""', ' "\t" \r\n']) assert.equal(cleanToken(text).state, 'empty', text);
  for (const text of ['ghp_abc ABC', 'ghp_abc\nABC', 'ghp_abc••••', 'octocat:ghp_abc']) {
    const cleaned = cleanToken(text);
    assert(cleaned.state === 'refused');
    assert.doesNotMatch(cleaned.message + cleaned.remedy, /ghp_/);
  }
});
