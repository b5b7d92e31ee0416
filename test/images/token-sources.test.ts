import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findAccount, type TokenCheck } from '../../scripts/images/credentials/credentials.ts';
import type { Verdict } from '../../scripts/images/credentials/token-check.ts';
import { tokenSources } from '../../scripts/images/credentials/token-sources.ts';
import { ExitCode } from '../../scripts/lib/errors.ts';
import { createExec, type Exec } from '../../scripts/lib/exec.ts';
import { Secret } from '../../scripts/lib/secret.ts';
import { everyKind, fakeExec, refusal, temporaryFolder } from '../support/fakes.ts';

const folder = await temporaryFolder();
const noSuchProgram = fakeExec(() => ({ exitCode: 127 }));
const works: Verdict = { state: 'works', owner: { login: 'ann', scopes: ['read:packages'], expires: undefined } };
const refused: Verdict = {
  state: 'refused',
  trouble: 'unknown',

  errorId: 'token-unknown',
  owner: undefined,
  message: 'It is unknown.',
  remedy: 'Make another.',
};
let folders = 0;

/** Docker's folder with that config.json. */
function dockerFolder(config?: unknown): string {
  folders += 1;
  const made = join(folder, `docker ${folders}`);
  mkdirSync(made);
  if (config !== undefined)
    writeFileSync(join(made, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  return made;
}
const auth = (text: string) => Buffer.from(text).toString('base64');
const find = (
  parts: { environment?: string; file?: string; exec?: Exec; docker?: unknown },
  check: TokenCheck = async () => works,
) =>
  findAccount(
    tokenSources({
      inEnvironment: parts.environment === undefined ? undefined : new Secret(parts.environment),
      inFile: parts.file === undefined ? undefined : new Secret(parts.file),
      exec: parts.exec ?? noSuchProgram,
      dockerFolder: dockerFolder(parts.docker),
    }),
    check,
  );
const tokenOf = async (...args: Parameters<typeof find>) => (await find(...args)).account?.token.reveal();
const gh = fakeExec((line) => (line.startsWith('gh auth token') ? { stdout: 'gho_gh\n' } : { exitCode: 127 }));
const docker = { auths: { 'ghcr.io': { auth: auth('ann:ghp_docker') } } };

test('the places are asked in order, and the first token that works is taken', async () => {
  const all = { environment: 'ghp_environment', file: 'ghp_file', exec: gh, docker };
  assert.equal(await tokenOf(all), 'ghp_environment');
  assert.equal(await tokenOf({ ...all, environment: '' }), 'ghp_file');
  assert.equal(await tokenOf({ exec: gh, docker }), 'gho_gh');
  assert.equal(await tokenOf({ docker }), 'ghp_docker');
  assert.equal(await tokenOf({}), undefined);
});

test('nothing is asked behind the first that works', async () => {
  const never = fakeExec(() => assert.fail('asked'));
  const { account } = await find({ file: 'ghp_file', exec: never });
  assert.deepEqual([account?.username, account?.source], ['ann', '.env']);
});

test('one that lies around and does not work is mentioned, and the next is tried', async () => {
  const check = async (token: { reveal(): string }) => (token.reveal() === 'ghp_docker' ? works : refused);
  const { account, notes } = await findAccount(
    tokenSources({
      inEnvironment: new Secret('ghp_bad'),
      inFile: undefined,
      exec: gh,
      dockerFolder: dockerFolder(docker),
    }),
    check,
  );
  assert.equal(account?.source, 'docker');
  assert.deepEqual(notes, [
    'Not used: the token in the environment. It is unknown.',
    'Not used: the token of gh. It is unknown.',
  ]);
});

test('one in .env that does not work is an error', async () => {
  const { error, text } = await refusal(() => find({ file: 'ghp_file', exec: gh }, async () => refused));
  assert.equal(error.exitCode, ExitCode.usage);
  assert.match(text, /^GITHUB_TOKEN in \.env: It is unknown\.\nMake another\. .*npm run credentials/);
});

test('so is one in .env with a blank inside, and it is not shown', async () => {
  const { text } = await refusal(() => find({ file: 'ghp_one ghp_two' }));
  assert.match(text, /blank/);
  assert.doesNotMatch(text, /ghp_/);
});

test('what stood around a token is left out, and said', async () => {
  const { account, notes } = await find({ file: ' "ghp_file"' });
  assert.equal(account?.token.reveal(), 'ghp_file');
  assert.deepEqual(notes, ['GITHUB_TOKEN in .env: the blanks and quotes around the token were left out.']);
});

test('one that nobody could check is used, and it is said', async () => {
  const { account, notes } = await find({ environment: 'ghp_environment' }, async () => ({
    state: 'unchecked',
    owner: undefined,
    message: 'Nobody answers.',
  }));
  assert.deepEqual([account?.username, account?.checked, notes], ['token', false, ['Nobody answers.']]);
});

for (const [name, config] of [
  ['no file', undefined],
  ['a file that is not JSON', '{'],
  ['an empty one', 'null'],
  ['a login elsewhere', { auths: { 'docker.io': { auth: auth('ann:x') } } }],
  ['an entry without content, as helpers leave it', { auths: { 'ghcr.io': {} } }],
  ['a helper with a path in its name', { credsStore: '../../evil' }],
] as const) {
  test(`Docker's store with ${name} has no token`, async () => {
    const exec = fakeExec((line) => (line.startsWith('docker-') ? assert.fail(line) : { exitCode: 127 }));
    assert.equal(await tokenOf({ docker: config, exec }), undefined);
  });
}

test('a real helper is asked on standard input, the one of the registry before that of all', async () => {
  const bin = dockerFolder();
  for (const [helper, secret] of [
    ['ours', 'ghp_ours'],
    ['all', 'ghp_all'],
  ]) {
    const script = `#!/bin/sh\n[ "$1" = get ] && [ "$(cat)" = ghcr.io ] && echo '{"Username":"ann","Secret":"${secret}"}'\n`;
    writeFileSync(join(bin, `docker-credential-${helper}`), script);
    chmodSync(join(bin, `docker-credential-${helper}`), 0o755);
  }
  const exec = createExec({ env: everyKind({ PATH: `${bin}:/usr/bin:/bin` }), signal: new AbortController().signal });
  assert.equal(await tokenOf({ exec, docker: { credHelpers: { 'ghcr.io': 'ours' }, credsStore: 'all' } }), 'ghp_ours');
  assert.equal(await tokenOf({ exec, docker: { credsStore: 'all' } }), 'ghp_all');
  assert.equal(await tokenOf({ exec, docker: { ...docker, credsStore: 'missing' } }), 'ghp_docker');
});

for (const [name, answer] of [
  ['refuses', { exitCode: 1, stdout: 'credentials not found in native keychain' }],
  ['says what is not JSON', { stdout: 'hello' }],
  ['has a token of another protocol', { stdout: '{"Username":"<token>","Secret":"x"}' }],
] as const) {
  test(`a helper that ${name} has nothing`, async () => {
    const exec = fakeExec((line) => (line.startsWith('docker-') ? answer : { exitCode: 127 }));
    assert.equal(await tokenOf({ exec, docker: { credsStore: 'desktop' } }), undefined);
  });
}
