import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import type { Context } from '../../scripts/images/context.ts';
import { applyAnswer, chooseAccount } from '../../scripts/images/credentials/choose-account.ts';
import { type Account, describeAccount } from '../../scripts/images/credentials/credentials.ts';
import { reportCredentials } from '../../scripts/images/credentials/report.ts';
import { UsageError } from '../../scripts/lib/errors.ts';
import { Secret } from '../../scripts/lib/secret.ts';
import { fakeContext, refusal, temporaryFolder } from '../support/fakes.ts';
import { commit, createRepository, gitExec } from '../support/repository.ts';

const folder = await temporaryFolder();
const account: Account = {
  token: new Secret('ghp_canaryCanaryc0de'),
  username: 'ann',
  owner: { login: 'ann', scopes: ['read:packages'], expires: new Date('2099-01-02T00:00:00Z') },
  source: 'gh',
  title: 'the token of gh',
  checked: true,
};
let made = 0;

/** A checkout that ignores `.env` or not, and what is found by way of accounts. */
function setup({
  found = undefined as Account | undefined,
  notes = [] as string[],
  gitignore = '.env\n.env.*\n',
  use = 'auto',
}) {
  made += 1;
  const root = createRepository(join(folder, `checkout ${made}`));
  commit(root, 'Start', { '.gitignore': gitignore });
  const used: (Account | undefined)[] = [];
  const context = fakeContext({
    config: { root, tokens: { use } },
    exec: gitExec,
    credentials: { search: async () => ({ account: found, notes }), use: (one: Account) => void used.push(one) },
  });
  const env = () => (existsSync(join(root, '.env')) ? readFileSync(join(root, '.env'), 'utf8') : undefined);
  return { context, used, env };
}

/** What is said where nobody can be asked. */
async function told(context: Context): Promise<string[]> {
  const lines: string[] = [];
  await chooseAccount(context, undefined, (line) => lines.push(line));
  return lines;
}

test('an account that is found is named with its place, and nobody is asked', async () => {
  const { context } = setup({ found: account, notes: ['Something besides.'] });
  assert.deepEqual(await told(context), [
    '! Something besides.',
    'Images are pulled with the token of gh: ann, with read:packages, until 2099-01-02 (…c0de).',
  ]);
});

test('where none is found and nobody sits there, it goes on without', async () => {
  assert.deepEqual(await told(setup({ notes: ['Not used: x.'] }).context), ['! Not used: x.']);
});

test('a token that is to be kept is used and saved, and takes GHCR_CREDENTIALS=none away', async () => {
  const { context, used, env } = setup({ use: 'none' });
  await applyAnswer(context, { kind: 'account', account, keep: 'save' });
  assert.deepEqual([used, env()], [[account], 'GITHUB_TOKEN=ghp_canaryCanaryc0de\n']);
});

test('one for this run only is used and not saved', async () => {
  const { context, used, env } = setup({});
  await applyAnswer(context, { kind: 'account', account, keep: 'run' });
  assert.deepEqual([used, env()], [[account], undefined]);
});

test('one that can not be saved is used all the same, and it is said why', async () => {
  const { context, used, env } = setup({ gitignore: 'x\n' });
  const [note = ''] = await applyAnswer(context, { kind: 'account', account, keep: 'save' });
  assert.match(note, /does not ignore \.env.*\.gitignore/);
  assert.deepEqual([used, env()], [[account], undefined]);
});

test('whoever does not want to be asked again is not', async () => {
  const { context, env } = setup({});
  await applyAnswer(context, { kind: 'none', never: true });
  assert.equal(env(), 'GHCR_CREDENTIALS=none\n');
  assert.deepEqual(await applyAnswer(context, { kind: 'none', never: false }), []);
});

test('of a token, its last four characters are all that a report shows', async () => {
  const report = await reportCredentials(setup({ found: account }).context);
  assert.deepEqual(report.account, {
    login: 'ann',
    scopes: ['read:packages'],
    expires: '2099-01-02T00:00:00.000Z',
    source: 'gh',
    ending: '…c0de',
    checked: true,
  });
  assert.doesNotMatch(JSON.stringify(report) + inspect(account, { depth: 9 }) + describeAccount(account), /canary/i);
});

test('a token that expires within two weeks is worth a word, and one that has no end is not', async () => {
  const ending = async (expires: Date | undefined) => {
    const found = { ...account, owner: { login: 'ann', scopes: undefined, expires } };
    return (await reportCredentials(setup({ found }).context)).notes.join();
  };
  assert.match(await ending(new Date(Date.now() + 24 * 3_600_000)), /expires on \d{4}-\d\d-\d\d: npm run credentials/);
  assert.equal(await ending(undefined), '');
});

test('a token in a .env that others may read is worth a word', async () => {
  const { context } = setup({ found: { ...account, source: '.env' } });
  const file = join(context.config.root, '.env');
  const notes = async (mode: number) => {
    writeFileSync(file, 'GITHUB_TOKEN=x\n');
    chmodSync(file, mode);
    return (await reportCredentials(context)).notes.join();
  };
  assert.match(await notes(0o644), /chmod 600 \.env/);
  assert.equal(await notes(0o600), '');
});

test('a token in .env that does not work is part of the report, and no crash', async () => {
  const { context } = setup({});
  context.credentials.search = async () => {
    throw new UsageError('It has expired.', 'Make one.');
  };
  assert.deepEqual(await reportCredentials(context), {
    state: 'refused',
    message: 'It has expired.',
    remedy: 'Make one.',
    notes: [],
  });
  await refusal(() => told(context));
});
